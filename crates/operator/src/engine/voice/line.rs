//! What is to be said and waits for its signature.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use federation_block_signing::Message;
use federation_chain::BlockHeight;
use federation_roster::OperatorId;
use tokio::sync::Notify;

/// How many messages may wait. An operator says some ten at a height; beyond that the oldest is
/// dropped, as the network may drop any.
const ROOM: usize = 256;

/// Something to say, to one operator or to all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saying {
    pub(crate) message: Message,
    pub(crate) to: Option<OperatorId>,
}

impl Saying {
    /// Whether this is said of the same thing as another, so that the later one says it all.
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

    /// Whether anybody can use it while this height is worked on. What settles the last height helps
    /// those who missed its end.
    fn is_of_use(&self, height: BlockHeight) -> bool {
        let own = self.message.height();
        match self.message {
            Message::Proposal(_) | Message::Vote(_) | Message::BodyRequest(_) => own >= height,
            _ => own.next() >= height,
        }
    }
}

/// Messages in their order.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: Mutex<VecDeque<Saying>>,
    added: Notify,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Saying>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in line, or in the place of what it replaces.
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

    /// Drops what is of no use to anybody any more, now that this height is worked on.
    pub(crate) fn advance(&self, height: BlockHeight) {
        self.lock().retain(|saying| saying.is_of_use(height));
    }

    /// Drops what says the same.
    pub(crate) fn forget(&self, said: &Saying) {
        self.lock().retain(|saying| saying != said);
    }

    /// The first that is wanted.
    pub(crate) fn take(&self, is_wanted: impl Fn(&Saying) -> bool) -> Option<Saying> {
        let mut waiting = self.lock();
        let index = waiting.iter().position(is_wanted)?;
        waiting.remove(index)
    }

    /// Waits until something was added.
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
    fn repeats_do_not_pile_up_behind_a_slow_key() {
        let line = Line::default();
        for votes in 3..9 {
            line.add(vote(5, 0));
            line.add(over(5, u32::from(votes)));
            line.add(decision(5, votes));
            line.add(vote(5, 1));
        }
        let expected = [vote(5, 0), over(5, 8), decision(5, 8), vote(5, 1)];
        assert_eq!(all(&line), expected, "the last of each, in the first place");
    }

    #[test]
    fn what_the_chain_has_passed_is_dropped_but_for_what_helps_at_the_last_height() {
        let line = Line::default();
        for saying in [decision(3, 3), vote(4, 0), decision(4, 3), vote(5, 0)] {
            line.add(saying);
        }
        line.advance(BlockHeight::new(5));
        assert_eq!(all(&line), [decision(4, 3), vote(5, 0)]);
    }

    #[test]
    fn the_line_is_bounded_and_drops_the_oldest() {
        let line = Line::default();
        for round in 0..1000 {
            line.add(vote(5, round));
        }
        let left = all(&line);
        assert_eq!(left.len(), ROOM);
        assert_eq!(left.last(), Some(&vote(5, 999)));
    }
}
