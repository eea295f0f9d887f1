//! Limits how often bodies are sent on request (rule R22): a request is short and a body is not, so
//! requests are counted per operator.

use core::time::Duration;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, UnixTime};
use federation_roster::OperatorId;

/// How many bodies one operator may request at one height before it has to wait.
const MAX_FREE_REPLIES: u8 = 2;

#[derive(Debug, Clone, Copy)]
struct Reply {
    count: u8,
    hash: BlockHash,
    at: UnixTime,
}

/// How long a requester has to wait before it gets another body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// After the block was broadcast, for the same block.
    pub(crate) broadcast: Duration,
    /// After a reply, for the same block.
    pub(crate) answer: Duration,
    /// After the last free reply of a height, for one more; `None` if there are no more.
    pub(crate) more: Option<Duration>,
}

/// The bodies of one height that were sent, and to which operators.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replies {
    broadcast: Option<(BlockHash, UnixTime)>,
    by_requester: BTreeMap<OperatorId, Reply>,
}

impl Replies {
    /// Records that this operator's own block was broadcast, which answers every request.
    pub(crate) fn record_broadcast(&mut self, hash: BlockHash, now: UnixTime) {
        self.broadcast = Some((hash, now));
    }

    /// Decides whether a requester is sent a block now, and counts the reply if so.
    pub(crate) fn grant(
        &mut self,
        requester: OperatorId,
        hash: BlockHash,
        now: UnixTime,
        waits: Waits,
    ) -> bool {
        let broadcast = self.broadcast.filter(|(sent, _)| *sent == hash);
        if broadcast.is_some_and(|(_, at)| now < at.saturating_add(waits.broadcast)) {
            return false;
        }
        let known = self.by_requester.get(&requester).copied();
        let mut count = 0;
        if let Some(reply) = known {
            let pause_of_height = waits.more.filter(|_| reply.count >= MAX_FREE_REPLIES);
            let spent = reply.count >= MAX_FREE_REPLIES
                && pause_of_height.is_none_or(|pause| now < reply.at.saturating_add(pause));
            let same_too_soon = reply.hash == hash && now < reply.at.saturating_add(waits.answer);
            if spent || same_too_soon {
                return false;
            }
            count = reply.count;
        }
        let count = count.saturating_add(1).min(MAX_FREE_REPLIES);
        let at = now;
        self.by_requester
            .insert(requester, Reply { count, hash, at });
        true
    }

    pub(crate) fn shift_back(&mut self, by: Duration) {
        if let Some((_, at)) = &mut self.broadcast {
            *at = at.saturating_sub(by);
        }
        for reply in self.by_requester.values_mut() {
            reply.at = reply.at.saturating_sub(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits {
        broadcast: Duration::from_millis(50),
        answer: Duration::from_millis(100),
        more: Some(Duration::from_millis(1000)),
    };
    const LAST: Waits = Waits {
        more: None,
        ..WAITS
    };

    fn at(millis: u64) -> UnixTime {
        UnixTime::from_millis(millis)
    }

    fn hash(fill: u8) -> BlockHash {
        BlockHash::from_bytes([fill; 32])
    }

    /// Counts the replies to one operator that requests one block every millisecond.
    fn answered(replies: &mut Replies, millis: u64, waits: Waits) -> usize {
        let requester = OperatorId::new(3);
        let grant = |now: &u64| replies.grant(requester, hash(1), at(*now), waits);
        (0..millis).filter(grant).count()
    }

    #[test]
    fn repeated_requests_get_two_bodies_and_then_one_per_pause() {
        assert_eq!(answered(&mut Replies::default(), 1000, WAITS), 2);
        assert_eq!(answered(&mut Replies::default(), 10_000, WAITS), 11);
        assert_eq!(answered(&mut Replies::default(), 10_000, LAST), 2);
    }

    #[test]
    fn requests_of_one_operator_do_not_use_up_those_of_another() {
        let mut replies = Replies::default();
        answered(&mut replies, 1000, LAST);
        assert!(replies.grant(OperatorId::new(4), hash(1), at(1000), LAST));
    }

    #[test]
    fn a_block_just_broadcast_is_not_sent_again_on_request() {
        let mut replies = Replies::default();
        replies.record_broadcast(hash(1), at(0));
        let requester = OperatorId::new(3);
        assert!(!replies.grant(requester, hash(1), at(49), WAITS));
        assert!(replies.grant(requester, hash(2), at(49), WAITS));
        assert!(replies.grant(requester, hash(1), at(50), WAITS));
    }
}
