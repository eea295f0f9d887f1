//! The schedule of turns: by the clock, and faster while the chain is behind.
//!
//! | | on schedule | behind |
//! |---|---|---|
//! | a turn starts every | interval | half the interval |
//! | leader | (start / interval) mod N | (start / half) mod N |
//!
//! The old program changes its pace only after it has started a turn at the previous pace, so a turn's
//! deadlines may follow another pace than its start.

use core::time::Duration;

use federation_chain::{BlockHeight, UnixTime};

/// The shortest interval; with a shorter one, blocks could not have distinct times.
pub const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// The longest interval: a day.
pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// The most operators: as many keys as fit in a script.
pub const MAX_OPERATORS: usize = 20;

/// Why a schedule is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The interval is out of range.
    #[error("interval of {0:?} must be from {MIN_INTERVAL:?} to {MAX_INTERVAL:?}")]
    Interval(Duration),
    /// There are no operators, or too many.
    #[error("number of operators {0} must be from 1 to {MAX_OPERATORS}")]
    Operators(usize),
}

/// The start times and leaders of turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval: u64,
    operators: u64,
}

/// One turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    start: UnixTime,
    leader: usize,
}

impl Turn {
    /// Returns when it starts. No two turns of an operator start at the same time, so this identifies it.
    #[must_use]
    pub const fn start(self) -> UnixTime {
        self.start
    }

    /// Returns its leader's index in the list of operators, from 0.
    #[must_use]
    pub const fn leader(self) -> usize {
        self.leader
    }
}

impl Schedule {
    /// Creates a schedule with one turn per interval (60 seconds in the old program).
    ///
    /// # Errors
    /// If either number is out of range.
    pub fn new(interval: Duration, operators: usize) -> Result<Self, ScheduleError> {
        if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&interval) {
            return Err(ScheduleError::Interval(interval));
        }
        if !(1..=MAX_OPERATORS).contains(&operators) {
            return Err(ScheduleError::Operators(operators));
        }
        Ok(Self {
            // In range, so neither is truncated.
            interval: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            operators: operators as u64,
        })
    }

    /// Returns the number of operators.
    #[must_use]
    pub const fn operators(&self) -> usize {
        self.operators as usize
    }

    /// Returns the time from one turn to the next on schedule.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_millis(self.interval)
    }

    /// Returns the time from one turn to the next while behind: half the interval, rounded down to whole
    /// seconds if the interval is in whole seconds, as in the old program.
    #[must_use]
    pub const fn catch_up(&self) -> Duration {
        let whole_seconds = self.interval.is_multiple_of(1000) && self.interval >= 2000;
        Duration::from_millis(if whole_seconds {
            self.interval / 2000 * 1000
        } else {
            self.interval / 2
        })
    }

    /// Returns the first turn after a moment, at a pace of [`Self::interval`] or [`Self::catch_up`].
    #[must_use]
    pub fn turn_after(&self, moment: UnixTime, pace: Duration) -> Turn {
        let pace = u64::try_from(pace.as_millis()).unwrap_or(u64::MAX).max(1);
        let slot = (moment.as_millis() / pace).saturating_add(1);
        Turn {
            start: UnixTime::from_millis(slot.saturating_mul(pace)),
            leader: (slot % self.operators) as usize,
        }
    }

    /// Whether a chain of this height, with this time of block 1, is behind schedule.
    #[must_use]
    pub fn is_behind(
        &self,
        height: BlockHeight,
        first_block: Option<UnixTime>,
        at: UnixTime,
    ) -> bool {
        let (Some(first), true) = (first_block, height > BlockHeight::GENESIS) else {
            return false;
        };
        let since = self.rounded(at).saturating_sub(self.rounded(first));
        since / self.interval > u64::from(height.to_u32())
    }

    /// Rounds a moment to whole intervals, half an interval up.
    const fn rounded(&self, at: UnixTime) -> u64 {
        let rest = at.as_millis() % self.interval;
        let down = at.as_millis() - rest;
        if rest * 2 >= self.interval {
            down.saturating_add(self.interval)
        } else {
            down
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(secs: u64) -> Schedule {
        Schedule::new(Duration::from_secs(secs), 5).expect("valid")
    }

    const fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(secs)
    }

    #[test]
    fn turns_follow_the_clock() {
        let minute = schedule(60);
        let turn = minute.turn_after(at(1_570_000_000), minute.interval());
        // 1570000000 / 60 = 26166666.67, so the next slot is 26166667, of operator 2.
        assert_eq!((turn.start(), turn.leader()), (at(1_570_000_020), 2));
        let turn = minute.turn_after(turn.start(), minute.interval());
        assert_eq!((turn.start(), turn.leader()), (at(1_570_000_080), 3));
        let turn = minute.turn_after(turn.start(), minute.catch_up());
        // 1570000110 / 30 = 52333337.
        assert_eq!((turn.start(), turn.leader()), (at(1_570_000_110), 2));
    }

    #[test]
    fn an_odd_interval_is_halved_by_integer_division() {
        assert_eq!(schedule(5).catch_up(), Duration::from_secs(2));
        assert_eq!(schedule(1).catch_up(), Duration::from_millis(500));
        let short = Schedule::new(Duration::from_millis(250), 3).expect("valid");
        assert_eq!(short.catch_up(), Duration::from_millis(125));
    }

    #[test]
    fn a_chain_is_behind_when_it_has_fewer_blocks_than_intervals() {
        let minute = schedule(60);
        let first = Some(at(600_001));
        let behind = |height, secs| minute.is_behind(BlockHeight::new(height), first, at(secs));
        assert!(!behind(1, 600_060));
        assert!(!behind(1, 600_089));
        assert!(behind(1, 600_090), "half an interval rounds up");
        assert!(behind(1, 600_120));
        assert!(!behind(2, 600_120));
        assert!(!behind(0, 900_000), "without blocks there is no schedule");
        assert!(!minute.is_behind(BlockHeight::new(1), None, at(900_000)));
        assert!(!behind(1, 1), "a clock before the first block");
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let make = |millis, operators| Schedule::new(Duration::from_millis(millis), operators);
        assert!(matches!(make(99, 5), Err(ScheduleError::Interval(_))));
        assert!(matches!(make(u64::MAX, 5), Err(ScheduleError::Interval(_))));
        assert_eq!(make(60_000, 0), Err(ScheduleError::Operators(0)));
        assert_eq!(make(60_000, 21), Err(ScheduleError::Operators(21)));
    }

    proptest! {
        #[test]
        fn the_next_turn_starts_within_one_pace(
            now: u64, millis in 100..86_400_000_u64, operators in 1..=20_usize, behind: bool,
        ) {
            let schedule = Schedule::new(Duration::from_millis(millis), operators).expect("valid");
            let pace = if behind { schedule.catch_up() } else { schedule.interval() };
            let now = UnixTime::from_millis(now / 2);
            let turn = schedule.turn_after(now, pace);
            prop_assert!(turn.start() > now);
            prop_assert!(turn.start().saturating_duration_since(now) <= pace);
            prop_assert!(turn.leader() < operators);
        }
    }
}
