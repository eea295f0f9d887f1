//! How long bodies take to come (rule R22): what is under way is not asked for again.
//!
//! A body is awaited from the leader whose proposal came, and from the operator that was asked for
//! it. What it took is kept for each sender, for the last body only, and the usual time is the
//! median of these, so that a minority of liars does not set it. Nothing here survives a restart.

use core::time::Duration;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, UnixTime};
use federation_roster::OperatorId;

/// Below this size, in bytes, the way counts and not the width of the link.
const SMALL: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Awaited {
    hash: BlockHash,
    since: UnixTime,
}

#[derive(Debug, Clone, Copy)]
struct Took {
    bytes: usize,
    time: Duration,
}

/// Bodies under way and what the last ones took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    awaited: BTreeMap<OperatorId, Awaited>,
    took: BTreeMap<OperatorId, Took>,
}

impl Pace {
    /// A body is on its way from an operator, unless it was already.
    pub(crate) fn expect(&mut self, from: OperatorId, hash: BlockHash, now: UnixTime) {
        let known = self.awaited.get(&from);
        if known.is_none_or(|awaited| awaited.hash != hash) {
            self.awaited.insert(from, Awaited { hash, since: now });
        }
    }

    /// A body has come.
    pub(crate) fn arrived(
        &mut self,
        from: OperatorId,
        hash: BlockHash,
        bytes: usize,
        now: UnixTime,
    ) {
        let awaited = self.awaited.get(&from).filter(|a| a.hash == hash);
        if let Some(Awaited { since, .. }) = awaited.copied() {
            self.awaited.remove(&from);
            let time = now.since(since);
            self.took.insert(from, Took { bytes, time });
        }
    }

    /// Since when a body has been awaited from the last operator from whom it is.
    pub(crate) fn awaited_since(&self, hash: BlockHash) -> Option<UnixTime> {
        let of_it = self.awaited.values().filter(|a| a.hash == hash);
        of_it.map(|awaited| awaited.since).max()
    }

    /// What a body usually takes, if any has come.
    pub(crate) fn usual(&self) -> Option<Duration> {
        median(self.took.values().map(|took| took.time).collect())
    }

    /// What a body of this many bytes should take.
    pub(crate) fn usual_for(&self, bytes: usize) -> Option<Duration> {
        let scaled = |took: &Took| {
            let known = took.bytes.max(SMALL) as u64;
            let ratio = (bytes as u64).div_ceil(known).max(1);
            took.time
                .saturating_mul(u32::try_from(ratio).unwrap_or(u32::MAX))
        };
        median(self.took.values().map(scaled).collect())
    }

    pub(crate) fn set_back(&mut self, by: Duration) {
        for awaited in self.awaited.values_mut() {
            awaited.since = awaited.since.before(by);
        }
    }
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    // The lower one of two, so that half of them cannot set it alone.
    times.get(times.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> UnixTime {
        UnixTime::from_millis(1000 + millis)
    }

    /// A body of so many bytes that came from each of these operators after so many milliseconds.
    fn pace(bytes: usize, times: &[u64]) -> Pace {
        let mut pace = Pace::default();
        for (id, millis) in (0..).zip(times) {
            let (from, hash) = (OperatorId::new(id), BlockHash::from_bytes([id; 32]));
            pace.expect(from, hash, after(0));
            pace.expect(from, hash, after(1)); // Said again: it was on its way before.
            pace.arrived(from, hash, bytes, after(*millis));
        }
        pace
    }

    #[test]
    fn a_minority_does_not_set_the_usual_time() {
        assert_eq!(Pace::default().usual(), None);
        let usual = |times: &[u64]| pace(100, times).usual();
        assert_eq!(usual(&[40]), Some(Duration::from_millis(40)));
        let held_back = usual(&[40, 50, 60, 900_000, 900_000]);
        assert_eq!(held_back, Some(Duration::from_millis(60)));
        let hurried = usual(&[40, 50, 60, 0, 0]);
        assert_eq!(hurried, Some(Duration::from_millis(40)));
    }

    #[test]
    fn larger_bodies_take_longer_and_small_ones_no_less_than_the_way() {
        let pace = pace(1 << 20, &[100, 100, 100]);
        let usual = |bytes| pace.usual_for(bytes);
        assert_eq!(usual(4 << 20), Some(Duration::from_millis(400)));
        assert_eq!(usual(100), Some(Duration::from_millis(100)));
    }

    #[test]
    fn what_nobody_announced_or_was_asked_for_says_nothing() {
        let mut pace = Pace::default();
        let (from, hash) = (OperatorId::new(1), BlockHash::from_bytes([1; 32]));
        pace.arrived(from, hash, 100, after(50));
        assert_eq!(pace.usual(), None);
        pace.expect(from, hash, after(60));
        assert_eq!(pace.awaited_since(hash), Some(after(60)));
        pace.arrived(OperatorId::new(2), hash, 100, after(70));
        assert_eq!(pace.awaited_since(hash), Some(after(60)));
    }
}
