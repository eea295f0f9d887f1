//! How often bodies are sent on request (rule R22): requests are short and bodies are not, so who
//! asks is counted.

use core::time::Duration;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, UnixTime};
use federation_roster::OperatorId;

/// Bodies that one operator is sent at one height because it asks.
const MOST: u8 = 2;

#[derive(Debug, Clone, Copy)]
struct Given {
    count: u8,
    hash: BlockHash,
    at: UnixTime,
}

/// How long who asks has to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    /// After the block was sent to all, for the same one.
    pub(crate) broadcast: Duration,
    /// After an answer, for the same block.
    pub(crate) answer: Duration,
    /// After the last of the answers of a height, for one more; none for no more.
    pub(crate) more: Option<Duration>,
}

/// The bodies of one height that were sent, and to whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers {
    broadcast: Option<(BlockHash, UnixTime)>,
    given: BTreeMap<OperatorId, Given>,
}

impl Answers {
    /// The own block went to all: that answers everybody.
    pub(crate) fn sent_to_all(&mut self, hash: BlockHash, now: UnixTime) {
        self.broadcast = Some((hash, now));
    }

    /// Whether an operator that asks is sent a block now; if so it is counted.
    pub(crate) fn give(
        &mut self,
        asker: OperatorId,
        hash: BlockHash,
        now: UnixTime,
        pauses: Pauses,
    ) -> bool {
        let broadcast = self.broadcast.filter(|(sent, _)| *sent == hash);
        if broadcast.is_some_and(|(_, at)| now < at.after(pauses.broadcast)) {
            return false;
        }
        let known = self.given.get(&asker).copied();
        let mut count = 0;
        if let Some(given) = known {
            let pause_of_height = pauses.more.filter(|_| given.count >= MOST);
            let spent = given.count >= MOST
                && pause_of_height.is_none_or(|pause| now < given.at.after(pause));
            let same_too_soon = given.hash == hash && now < given.at.after(pauses.answer);
            if spent || same_too_soon {
                return false;
            }
            count = given.count;
        }
        let count = count.saturating_add(1).min(MOST);
        let at = now;
        self.given.insert(asker, Given { count, hash, at });
        true
    }

    pub(crate) fn set_back(&mut self, by: Duration) {
        if let Some((_, at)) = &mut self.broadcast {
            *at = at.before(by);
        }
        for given in self.given.values_mut() {
            given.at = given.at.before(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSES: Pauses = Pauses {
        broadcast: Duration::from_millis(50),
        answer: Duration::from_millis(100),
        more: Some(Duration::from_millis(1000)),
    };
    const LAST: Pauses = Pauses {
        more: None,
        ..PAUSES
    };

    fn at(millis: u64) -> UnixTime {
        UnixTime::from_millis(millis)
    }

    fn hash(fill: u8) -> BlockHash {
        BlockHash::from_bytes([fill; 32])
    }

    /// How many of the requests of one operator for one block, one each millisecond, are answered.
    fn answered(answers: &mut Answers, millis: u64, pauses: Pauses) -> usize {
        let asker = OperatorId::new(3);
        let give = |now: &u64| answers.give(asker, hash(1), at(*now), pauses);
        (0..millis).filter(give).count()
    }

    #[test]
    fn whoever_asks_without_end_is_sent_two_bodies_and_then_one_now_and_then() {
        assert_eq!(answered(&mut Answers::default(), 1000, PAUSES), 2);
        assert_eq!(answered(&mut Answers::default(), 10_000, PAUSES), 11);
        assert_eq!(answered(&mut Answers::default(), 10_000, LAST), 2);
    }

    #[test]
    fn one_operator_takes_nothing_from_another() {
        let mut answers = Answers::default();
        answered(&mut answers, 1000, LAST);
        assert!(answers.give(OperatorId::new(4), hash(1), at(1000), LAST));
    }

    #[test]
    fn what_went_to_all_is_not_sent_again_to_one_at_once() {
        let mut answers = Answers::default();
        answers.sent_to_all(hash(1), at(0));
        let asker = OperatorId::new(3);
        assert!(!answers.give(asker, hash(1), at(49), PAUSES));
        assert!(answers.give(asker, hash(2), at(49), PAUSES));
        assert!(answers.give(asker, hash(1), at(50), PAUSES));
    }
}
