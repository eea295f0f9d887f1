//! When a height is due, and which block times are allowed (rules R2 and R5).

use core::time::Duration;

use federation_chain::UnixTime;

use crate::{Candidate, Refusal, Tip};

/// Returns the target of the height above the tip: the time of block 1 rounded down to the
/// interval, plus one interval for each height after 1. `None` for height 1, which is due at once.
pub(crate) fn target(tip: &Tip, interval: Duration) -> Option<UnixTime> {
    let first = tip.first_block_time?;
    let interval = u64::try_from(interval.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let first = first.as_millis() / interval * interval;
    let later = u64::from(tip.height.to_u32()).saturating_mul(interval);
    Some(UnixTime::from_millis(first.saturating_add(later)))
}

/// Returns when the height above the tip starts, given when the tip came: at its target, but
/// neither sooner than half an interval nor later than two intervals after the tip.
///
/// The first bound paces a chain that is behind its targets. The second keeps a chain moving whose
/// targets lie in the future because the interval was lengthened or a clock was wrong: it makes a
/// block every two intervals until its targets have caught up.
pub(crate) fn start(tip: &Tip, interval: Duration, tip_came: UnixTime) -> UnixTime {
    target(tip, interval).map_or(UnixTime::from_millis(0), |target| {
        target.clamp(
            tip_came.saturating_add(interval / 2),
            tip_came.saturating_add(interval * 2),
        )
    })
}

/// Checks that a candidate builds on the tip.
pub(crate) fn check_position(candidate: &Candidate, tip: &Tip) -> Result<(), Refusal> {
    if candidate.height != tip.height.next() {
        return Err(Refusal::WrongHeight);
    }
    if candidate.previous != tip.hash {
        return Err(Refusal::WrongPrevious);
    }
    Ok(())
}

/// Checks that the schedule and the clock allow a candidate's time.
///
/// For fresh blocks only. At height 1 the lower bound moves with the clock, so a block that some
/// operators are locked on would become too old for the others, and the chain would stop.
///
/// Times are compared in whole seconds, as headers hold them. The lower bound is the target, or the
/// clock while that is before the target, minus the drift. The upper bound is the clock plus the
/// drift, or one second after the tip's median time if that is later: a block must exceed the
/// median, so with intervals below about 200 ms block times run ahead of the clock, and this bound
/// with them.
pub(crate) fn check_time(
    candidate: &Candidate,
    tip: &Tip,
    interval: Duration,
    max_drift: Duration,
    now: UnixTime,
) -> Result<(), Refusal> {
    let due = target(tip, interval).map_or(now, |target| target.min(now));
    if candidate.time.as_secs() < due.saturating_sub(max_drift).as_secs() {
        return Err(Refusal::TooEarly);
    }
    let latest = now
        .saturating_add(max_drift)
        .max(tip.median_time.saturating_add(Duration::from_secs(1)));
    if candidate.time.as_secs() > latest.as_secs() {
        return Err(Refusal::TooLate);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use federation_chain::{BlockHash, BlockHeight};
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tip(height: u32, first_secs: u64) -> Tip {
        Tip {
            height: BlockHeight::new(height),
            hash: BlockHash::from_bytes([1; 32]),
            time: UnixTime::from_secs(first_secs),
            median_time: UnixTime::from_secs(first_secs),
            first_block_time: (height > 0).then_some(UnixTime::from_secs(first_secs)),
        }
    }

    fn candidate(height: u32, secs: u64) -> Candidate {
        Candidate {
            hash: BlockHash::from_bytes([2; 32]),
            previous: BlockHash::from_bytes([1; 32]),
            height: BlockHeight::new(height),
            time: UnixTime::from_secs(secs),
            bytes: Bytes::new(),
        }
    }

    #[test]
    fn first_height_is_due_at_once() {
        let start = start(&tip(0, 0), SECOND, UnixTime::from_secs(9));
        assert_eq!(start, UnixTime::from_secs(0));
    }

    #[test]
    fn targets_follow_at_intervals_from_the_first_block_rounded_down() {
        let interval = Duration::from_secs(10);
        assert_eq!(
            target(&tip(1, 1007), interval),
            Some(UnixTime::from_secs(1010))
        );
        assert_eq!(
            target(&tip(5, 1007), interval),
            Some(UnixTime::from_secs(1050))
        );
    }

    #[test]
    fn chain_behind_its_targets_makes_a_block_every_half_interval() {
        let now = UnixTime::from_secs(5000);
        assert_eq!(
            start(&tip(1, 1000), SECOND, now),
            UnixTime::from_millis(5_000_500)
        );
    }

    #[test]
    fn chain_ahead_of_its_targets_makes_a_block_every_two_intervals() {
        let now = UnixTime::from_secs(5000);
        assert_eq!(
            start(&tip(1, 90_000), SECOND, now),
            UnixTime::from_secs(5002)
        );
    }

    #[test]
    fn times_may_run_ahead_of_the_clock_with_the_median() {
        let drift = Duration::from_secs(10);
        let now = UnixTime::from_secs(1000);
        let mut ahead = tip(3, 1000);
        ahead.median_time = UnixTime::from_secs(2000);
        let check = |secs| check_time(&candidate(4, secs), &ahead, SECOND / 10, drift, now);
        assert_eq!(check(2001), Ok(()));
        assert_eq!(check(2002), Err(Refusal::TooLate));
    }

    #[test]
    fn times_before_the_schedule_are_refused() {
        let drift = Duration::from_secs(10);
        let now = UnixTime::from_secs(2000);
        let check = |secs| check_time(&candidate(101, secs), &tip(100, 1000), SECOND, drift, now);
        assert_eq!(check(1089), Err(Refusal::TooEarly));
        assert_eq!(check(1090), Ok(()));
    }

    #[test]
    fn candidate_must_build_on_the_tip() {
        let check = |c: &Candidate| check_position(c, &tip(3, 1000));
        assert_eq!(check(&candidate(5, 1000)), Err(Refusal::WrongHeight));
        let mut other = candidate(4, 1000);
        other.previous = BlockHash::from_bytes([9; 32]);
        assert_eq!(check(&other), Err(Refusal::WrongPrevious));
    }

    proptest! {
        /// Whatever the chain's times, the block that an honest node makes now is accepted by
        /// operators whose clocks differ by no more than the drift, and a start is never far away.
        #[test]
        fn no_chain_is_ever_stuck(
            height in 0u32..10_000, first in 0u64..200_000, median in 0u64..200_000,
            now in 20_000u64..200_000, skew in -9i64..=9, interval in 50u64..60_000,
        ) {
            let mut tip = tip(height, first);
            tip.median_time = UnixTime::from_secs(median);
            let interval = Duration::from_millis(interval);
            let leader = now.checked_add_signed(skew).expect("the clock is far above the skew");
            let made = candidate(height + 1, leader.max(median + 1));
            let now = UnixTime::from_secs(now);
            prop_assert_eq!(check_time(&made, &tip, interval, Duration::from_secs(10), now), Ok(()));
            let start = start(&tip, interval, now);
            prop_assert!(start <= now.saturating_add(interval * 2));
            prop_assert!(height == 0 || start >= now.saturating_add(interval / 2));
        }
    }
}
