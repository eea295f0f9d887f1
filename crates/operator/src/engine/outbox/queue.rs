//! The queue of messages that wait for their signatures.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use federation_block_signing::Message;
use federation_chain::BlockHeight;
use federation_roster::OperatorId;
use tokio::sync::Notify;

/// How many messages may wait. An operator sends about ten at a height. When the queue is full, the
/// oldest is dropped, just as the network may drop any.
const CAPACITY: usize = 256;

/// A message to one operator or to all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutgoingMessage {
    pub(crate) message: Message,
    pub(crate) to: Option<OperatorId>,
}

impl OutgoingMessage {
    /// Whether this message makes an earlier one about the same thing redundant.
    fn supersedes(&self, other: &Self) -> bool {
        self.to == other.to
            && match (&self.message, &other.message) {
                (Message::Certificate(a), Message::Certificate(b)) => a.vote() == b.vote(),
                (Message::RoundCertificate(a), Message::RoundCertificate(b)) => {
                    a.height == b.height && a.round >= b.round
                }
                (Message::SignatureSet(a), Message::SignatureSet(b)) => {
                    (a.height, a.hash) == (b.height, b.hash)
                }
                (a, b) => a == b,
            }
    }

    /// Whether the message is still useful while this height is worked on. Messages that settle the
    /// previous height help operators that missed its end.
    fn is_useful_at(&self, height: BlockHeight) -> bool {
        let own = self.message.height();
        match self.message {
            Message::Proposal(_) | Message::Vote(_) | Message::BodyRequest(_) => own >= height,
            _ => own.next() >= height,
        }
    }
}

/// Messages in the order in which they are to be signed.
#[derive(Debug, Default)]
pub(crate) struct OutboxQueue {
    messages: Mutex<VecDeque<OutgoingMessage>>,
    added: Notify,
}

impl OutboxQueue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<OutgoingMessage>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message, or puts it in the place of the one that it supersedes.
    pub(crate) fn push(&self, outgoing: OutgoingMessage) {
        let mut messages = self.lock();
        match messages.iter_mut().find(|other| outgoing.supersedes(other)) {
            Some(other) => *other = outgoing,
            None => messages.push_back(outgoing),
        }
        while messages.len() > CAPACITY {
            messages.pop_front();
        }
        drop(messages);
        self.added.notify_one();
    }

    /// Drops the messages that are of no use once this height is worked on.
    pub(crate) fn start_height(&self, height: BlockHeight) {
        self.lock().retain(|outgoing| outgoing.is_useful_at(height));
    }

    /// Drops messages that are equal to this one.
    pub(crate) fn remove(&self, outgoing: &OutgoingMessage) {
        self.lock().retain(|other| other != outgoing);
    }

    /// Removes and returns the first message that fits.
    pub(crate) fn take(
        &self,
        is_wanted: impl Fn(&OutgoingMessage) -> bool,
    ) -> Option<OutgoingMessage> {
        let mut messages = self.lock();
        let index = messages.iter().position(is_wanted)?;
        messages.remove(index)
    }

    /// Waits until a message is added.
    pub(crate) async fn added(&self) {
        self.added.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use federation_block_signing::{
        Certificate, IdentitySignature, RoundCertificate, Vote, VoteKind,
    };
    use federation_chain::BlockHash;
    use federation_roster::Round;

    use super::*;

    fn to_all(message: Message) -> OutgoingMessage {
        OutgoingMessage { message, to: None }
    }

    fn vote(height: u32, round: u32) -> OutgoingMessage {
        to_all(Message::Vote(Vote {
            kind: VoteKind::Prevote,
            height: BlockHeight::new(height),
            round: Round::new(round),
            value: None,
        }))
    }

    fn voters(count: u8) -> impl Iterator<Item = (OperatorId, IdentitySignature)> {
        (0..count).map(|id| {
            let signature = IdentitySignature::from_bytes([id; 64]);
            (OperatorId::new(id), signature)
        })
    }

    fn decision(height: u32, votes: u8) -> OutgoingMessage {
        to_all(Message::Certificate(Certificate {
            kind: VoteKind::Precommit,
            height: BlockHeight::new(height),
            round: Round::FIRST,
            hash: BlockHash::from_bytes([7; 32]),
            votes: voters(votes).collect(),
        }))
    }

    fn round_certificate(height: u32, round: u32) -> OutgoingMessage {
        let votes: BTreeMap<_, _> = voters(3).map(|(id, by)| (id, (None, by))).collect();
        to_all(Message::RoundCertificate(RoundCertificate {
            height: BlockHeight::new(height),
            round: Round::new(round),
            votes,
        }))
    }

    fn all(queue: &OutboxQueue) -> Vec<OutgoingMessage> {
        core::iter::from_fn(|| queue.take(|_| true)).collect()
    }

    #[test]
    fn retransmissions_do_not_pile_up_behind_a_slow_key() {
        let queue = OutboxQueue::default();
        for votes in 3..9 {
            queue.push(vote(5, 0));
            queue.push(round_certificate(5, u32::from(votes)));
            queue.push(decision(5, votes));
            queue.push(vote(5, 1));
        }
        let expected = [
            vote(5, 0),
            round_certificate(5, 8),
            decision(5, 8),
            vote(5, 1),
        ];
        assert_eq!(
            all(&queue),
            expected,
            "the latest of each, in the place of the first"
        );
    }

    #[test]
    fn messages_of_finished_heights_are_dropped_except_those_that_settle_the_previous_height() {
        let queue = OutboxQueue::default();
        for outgoing in [decision(3, 3), vote(4, 0), decision(4, 3), vote(5, 0)] {
            queue.push(outgoing);
        }
        queue.start_height(BlockHeight::new(5));
        assert_eq!(all(&queue), [decision(4, 3), vote(5, 0)]);
    }

    #[test]
    fn the_queue_is_bounded_and_drops_the_oldest_message() {
        let queue = OutboxQueue::default();
        for round in 0..1000 {
            queue.push(vote(5, round));
        }
        let left = all(&queue);
        assert_eq!(left.len(), CAPACITY);
        assert_eq!(left.last(), Some(&vote(5, 999)));
    }
}
