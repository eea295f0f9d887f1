//! Measures how long bodies take to arrive (rule R22), so that one already under way is not
//! requested again.
//!
//! A body is expected from the leader whose proposal was received, and from an operator that was
//! asked for it. Only the last body of each sender is measured, and the typical time is the median
//! of these, so that a minority of liars cannot set it. Nothing here survives a restart.

use core::time::Duration;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, UnixTime};
use federation_roster::OperatorId;

/// Below this size, in bytes, a link's latency counts and its bandwidth does not.
const SMALL: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Expected {
    hash: BlockHash,
    since: UnixTime,
}

#[derive(Debug, Clone, Copy)]
struct Delivery {
    bytes: usize,
    time: Duration,
}

/// Bodies under way, and how long the last ones took.
#[derive(Debug, Clone, Default)]
pub(crate) struct BodyTiming {
    expected: BTreeMap<OperatorId, Expected>,
    deliveries: BTreeMap<OperatorId, Delivery>,
}

impl BodyTiming {
    /// Records that a body is under way from an operator, unless it already was.
    pub(crate) fn expect(&mut self, from: OperatorId, hash: BlockHash, now: UnixTime) {
        let known = self.expected.get(&from);
        if known.is_none_or(|expected| expected.hash != hash) {
            self.expected.insert(from, Expected { hash, since: now });
        }
    }

    /// Records that a body has arrived.
    pub(crate) fn arrived(
        &mut self,
        from: OperatorId,
        hash: BlockHash,
        bytes: usize,
        now: UnixTime,
    ) {
        let expected = self.expected.get(&from).filter(|a| a.hash == hash);
        if let Some(Expected { since, .. }) = expected.copied() {
            self.expected.remove(&from);
            let time = now.saturating_duration_since(since);
            self.deliveries.insert(from, Delivery { bytes, time });
        }
    }

    /// Returns since when a body has been expected, from the last operator that it is expected
    /// from.
    pub(crate) fn expected_since(&self, hash: BlockHash) -> Option<UnixTime> {
        let of_it = self.expected.values().filter(|a| a.hash == hash);
        of_it.map(|expected| expected.since).max()
    }

    /// Returns the typical time of a body, if any has arrived.
    pub(crate) fn typical(&self) -> Option<Duration> {
        median(
            self.deliveries
                .values()
                .map(|delivery| delivery.time)
                .collect(),
        )
    }

    /// Returns the typical time of a body of this many bytes.
    pub(crate) fn typical_for(&self, bytes: usize) -> Option<Duration> {
        let scaled = |delivery: &Delivery| {
            let known = delivery.bytes.max(SMALL) as u64;
            let ratio = (bytes as u64).div_ceil(known).max(1);
            delivery
                .time
                .saturating_mul(u32::try_from(ratio).unwrap_or(u32::MAX))
        };
        median(self.deliveries.values().map(scaled).collect())
    }

    pub(crate) fn shift_back(&mut self, by: Duration) {
        for expected in self.expected.values_mut() {
            expected.since = expected.since.saturating_sub(by);
        }
    }
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    // The lower of two, so that one half alone cannot set it.
    times.get(times.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> UnixTime {
        UnixTime::from_millis(1000 + millis)
    }

    /// A body of this many bytes from each of these operators, after these many milliseconds.
    fn timing(bytes: usize, times: &[u64]) -> BodyTiming {
        let mut timing = BodyTiming::default();
        for (id, millis) in (0..).zip(times) {
            let (from, hash) = (OperatorId::new(id), BlockHash::from_bytes([id; 32]));
            timing.expect(from, hash, after(0));
            timing.expect(from, hash, after(1)); // Repeated: it was already under way.
            timing.arrived(from, hash, bytes, after(*millis));
        }
        timing
    }

    #[test]
    fn a_minority_cannot_set_the_typical_time() {
        assert_eq!(BodyTiming::default().typical(), None);
        let typical = |times: &[u64]| timing(100, times).typical();
        assert_eq!(typical(&[40]), Some(Duration::from_millis(40)));
        let held_back = typical(&[40, 50, 60, 900_000, 900_000]);
        assert_eq!(held_back, Some(Duration::from_millis(60)));
        let hurried = typical(&[40, 50, 60, 0, 0]);
        assert_eq!(hurried, Some(Duration::from_millis(40)));
    }

    #[test]
    fn the_typical_time_grows_with_size_but_not_below_the_latency() {
        let timing = timing(1 << 20, &[100, 100, 100]);
        let typical = |bytes| timing.typical_for(bytes);
        assert_eq!(typical(4 << 20), Some(Duration::from_millis(400)));
        assert_eq!(typical(100), Some(Duration::from_millis(100)));
    }

    #[test]
    fn unexpected_bodies_are_not_measured() {
        let mut timing = BodyTiming::default();
        let (from, hash) = (OperatorId::new(1), BlockHash::from_bytes([1; 32]));
        timing.arrived(from, hash, 100, after(50));
        assert_eq!(timing.typical(), None);
        timing.expect(from, hash, after(60));
        assert_eq!(timing.expected_since(hash), Some(after(60)));
        timing.arrived(OperatorId::new(2), hash, 100, after(70));
        assert_eq!(timing.expected_since(hash), Some(after(60)));
    }
}
