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
const ROOM: usize = 256;

/// A message to one operator or to all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saying {
    pub(crate) message: Message,
    pub(crate) to: Option<OperatorId>,
}

impl Saying {
    /// Whether this message makes an earlier one about the same thing redundant.
    fn replaces(&self, other: &Self) -> bool {
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
    fn is_of_use(&self, height: BlockHeight) -> bool {
        let own = self.message.height();
        match self.message {
            Message::Proposal(_) | Message::Vote(_) | Message::BodyRequest(_) => own >= height,
            _ => own.next() >= height,
        }
    }
}

/// Messages in the order in which they are to be signed.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: Mutex<VecDeque<Saying>>,
    added: Notify,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Saying>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message, or puts it in the place of the one that it replaces.
    pub(crate) fn add(&self, saying: Saying) {
        let mut waiting = self.lock();
        match waiting.iter_mut().find(|other| saying.replaces(other)) {
            Some(other) => *other = saying,
            None => waiting.push_back(saying),
        }
        while waiting.len() > ROOM {
            waiting.pop_front();
        }
        drop(waiting);
        self.added.notify_one();
    }

    /// Drops the messages that are of no use once this height is worked on.
    pub(crate) fn advance(&self, height: BlockHeight) {
        self.lock().retain(|saying| saying.is_of_use(height));
    }

    /// Drops messages that are equal to this one.
    pub(crate) fn forget(&self, said: &Saying) {
        self.lock().retain(|saying| saying != said);
    }

    /// Removes and returns the first message that fits.
    pub(crate) fn take(&self, is_wanted: impl Fn(&Saying) -> bool) -> Option<Saying> {
        let mut waiting = self.lock();
        let index = waiting.iter().position(is_wanted)?;
        waiting.remove(index)
    }

    /// Waits until a message is added.
    pub(crate) async fn wait(&self) {
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

    fn to_all(message: Message) -> Saying {
        Saying { message, to: None }
    }

    fn vote(height: u32, round: u32) -> Saying {
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

    fn decision(height: u32, votes: u8) -> Saying {
        to_all(Message::Certificate(Certificate {
            kind: VoteKind::Precommit,
            height: BlockHeight::new(height),
            round: Round::FIRST,
            hash: BlockHash::from_bytes([7; 32]),
            votes: voters(votes).collect(),
        }))
    }

    fn over(height: u32, round: u32) -> Saying {
        let votes: BTreeMap<_, _> = voters(3).map(|(id, by)| (id, (None, by))).collect();
        to_all(Message::RoundCertificate(RoundCertificate {
            height: BlockHeight::new(height),
            round: Round::new(round),
            votes,
        }))
    }

    fn all(line: &Line) -> Vec<Saying> {
        core::iter::from_fn(|| line.take(|_| true)).collect()
    }

    #[test]
    fn retransmissions_do_not_pile_up_behind_a_slow_key() {
        let line = Line::default();
        for votes in 3..9 {
            line.add(vote(5, 0));
            line.add(over(5, u32::from(votes)));
            line.add(decision(5, votes));
            line.add(vote(5, 1));
        }
        let expected = [vote(5, 0), over(5, 8), decision(5, 8), vote(5, 1)];
        assert_eq!(
            all(&line),
            expected,
            "the latest of each, in the place of the first"
        );
    }

    #[test]
    fn messages_of_finished_heights_are_dropped_except_those_that_settle_the_previous_height() {
        let line = Line::default();
        for saying in [decision(3, 3), vote(4, 0), decision(4, 3), vote(5, 0)] {
            line.add(saying);
        }
        line.advance(BlockHeight::new(5));
        assert_eq!(all(&line), [decision(4, 3), vote(5, 0)]);
    }

    #[test]
    fn the_queue_is_bounded_and_drops_the_oldest_message() {
        let line = Line::default();
        for round in 0..1000 {
            line.add(vote(5, round));
        }
        let left = all(&line);
        assert_eq!(left.len(), ROOM);
        assert_eq!(left.last(), Some(&vote(5, 999)));
    }
}
