//! The points of a schedule.

use core::{num::NonZeroU32, time::Duration};

use federation_chain::BlockHeight;
use serde::{Deserialize, Serialize};

use crate::Rate;

/// A year of 365 days in milliseconds, the unit of the yearly rate.
pub(crate) const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// A height at which a reissuance is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point(BlockHeight);

impl Point {
    /// Returns its height.
    #[must_use]
    pub const fn height(self) -> BlockHeight {
        self.0
    }
}

impl core::fmt::Display for Point {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// The points and the rate of an asset's reissuances: a point is every height above `start` that is
/// a multiple of `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSchedule")]
pub struct Schedule {
    rate: Rate,
    period: NonZeroU32,
    interval_ms: u64,
    start: BlockHeight,
}

/// The fields of a schedule, as they are stored and sent.
#[derive(Deserialize)]
#[serde(rename = "Schedule")]
struct RawSchedule {
    rate: Rate,
    period: NonZeroU32,
    interval_ms: u64,
    start: BlockHeight,
}

impl TryFrom<RawSchedule> for Schedule {
    type Error = ScheduleError;

    fn try_from(raw: RawSchedule) -> Result<Self, ScheduleError> {
        let RawSchedule {
            rate,
            period,
            interval_ms,
            start,
        } = raw;
        Self::new(
            rate,
            period.get(),
            Duration::from_millis(interval_ms),
            start,
        )
    }
}

/// Why values do not make a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The period is zero.
    #[error("the period is 0 blocks: expected at least 1")]
    Period,
    /// The interval is not a whole number of milliseconds from 1 ms to a day.
    #[error(
        "the interval {0:?} is invalid: expected a whole number of milliseconds, from one millisecond to a day"
    )]
    Interval(Duration),
    /// The period is longer than a hundred years.
    #[error("a period of {0} blocks lasts more than a hundred years")]
    TooLong(u32),
}

impl Schedule {
    /// Creates a schedule from the yearly rate, the number of blocks between points, the time
    /// between blocks, and the height after which points begin.
    ///
    /// # Errors
    /// If the values are invalid.
    pub fn new(
        rate: Rate,
        period: u32,
        interval: Duration,
        start: BlockHeight,
    ) -> Result<Self, ScheduleError> {
        let blocks = NonZeroU32::new(period).ok_or(ScheduleError::Period)?;
        let interval_ms = u64::try_from(interval.as_millis())
            .ok()
            .filter(|ms| (1..=24 * 60 * 60 * 1000).contains(ms))
            .filter(|ms| Duration::from_millis(*ms) == interval)
            .ok_or(ScheduleError::Interval(interval))?;
        if u64::from(period) * interval_ms > 100 * YEAR_MS {
            return Err(ScheduleError::TooLong(period));
        }
        Ok(Self {
            rate,
            period: blocks,
            interval_ms,
            start,
        })
    }

    /// Returns the yearly rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Returns the number of blocks between points.
    #[must_use]
    pub const fn period(&self) -> u32 {
        self.period.get()
    }

    /// Returns the time between blocks.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// Returns the height after which points begin.
    #[must_use]
    pub const fn start(&self) -> BlockHeight {
        self.start
    }

    /// Returns the time between points, in milliseconds; at most a hundred years.
    pub(crate) const fn period_ms(&self) -> u64 {
        self.period.get() as u64 * self.interval_ms
    }

    /// Returns the point at a height, if there is one.
    #[must_use]
    pub fn point_at(&self, height: BlockHeight) -> Option<Point> {
        let is_point = height > self.start && height.to_u32().is_multiple_of(self.period.get());
        is_point.then_some(Point(height))
    }

    /// Returns the first point.
    #[must_use]
    pub fn first(&self) -> Option<Point> {
        self.after(self.start)
    }

    /// Returns the first point above a height; `None` only beyond the largest height.
    #[must_use]
    pub fn after(&self, height: BlockHeight) -> Option<Point> {
        let period = self.period.get();
        let above = height.max(self.start).to_u32();
        let next = (above / period).checked_add(1)?.checked_mul(period)?;
        Some(Point(BlockHeight::new(next)))
    }

    /// Returns all points from one height to another, inclusive.
    pub fn points(
        &self,
        from: BlockHeight,
        to: BlockHeight,
    ) -> impl Iterator<Item = Point> + use<> {
        let schedule = *self;
        let first = match schedule.point_at(from) {
            Some(point) => Some(point),
            None => schedule.after(from),
        };
        core::iter::successors(first, move |point| schedule.after(point.height()))
            .take_while(move |point| point.height() <= to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(period: u32, start: u32) -> Schedule {
        let rate = "0.05".parse().expect("a rate");
        let start = BlockHeight::new(start);
        Schedule::new(rate, period, Duration::from_secs(60), start).expect("a schedule")
    }

    fn heights(schedule: &Schedule, from: u32, to: u32) -> Vec<u32> {
        schedule
            .points(BlockHeight::new(from), BlockHeight::new(to))
            .map(|point| point.height().to_u32())
            .collect()
    }

    #[test]
    fn points_are_the_multiples_above_the_start() {
        assert_eq!(heights(&schedule(5, 0), 0, 20), [5, 10, 15, 20]);
        assert_eq!(heights(&schedule(5, 10), 0, 20), [15, 20]);
        assert_eq!(heights(&schedule(5, 12), 16, 19), [0u32; 0]);
        assert_eq!(heights(&schedule(1, 3), 0, 6), [4, 5, 6]);
    }

    #[test]
    fn the_largest_height_does_not_overflow() {
        assert_eq!(schedule(5, 0).after(BlockHeight::new(u32::MAX)), None);
        assert_eq!(
            heights(&schedule(7, 0), u32::MAX - 3, u32::MAX),
            [4_294_967_292]
        );
    }

    #[test]
    fn invalid_schedules_are_refused() {
        let rate = "0.05".parse().expect("a rate");
        let make = |period, interval| Schedule::new(rate, period, interval, BlockHeight::GENESIS);
        let second = Duration::from_secs(1);
        assert_eq!(make(0, second), Err(ScheduleError::Period));
        assert_eq!(
            make(1, Duration::ZERO),
            Err(ScheduleError::Interval(Duration::ZERO))
        );
        let odd = Duration::from_micros(1500);
        assert_eq!(make(1, odd), Err(ScheduleError::Interval(odd)));
        assert_eq!(
            make(u32::MAX, second),
            Err(ScheduleError::TooLong(u32::MAX))
        );
    }

    proptest! {
        #[test]
        fn a_point_is_a_multiple_of_the_period_and_the_next_one_a_period_later(
            period in 1..5000u32, start in 0..10_000u32, at in 0..100_000u32,
        ) {
            let schedule = schedule(period, start);
            let next = schedule.after(BlockHeight::new(at)).expect("there is one");
            prop_assert_eq!(schedule.point_at(next.height()), Some(next));
            prop_assert!(next.height().to_u32() > at.max(start));
            prop_assert!(next.height().to_u32() - at.max(start) <= period);
        }
    }
}
