//! Limits the rate of records from a client.
//!
//! A client keeps to its limit; one that far exceeds it is faulty and is stopped.

use core::time::Duration;

use tokio::time::Instant;

/// The most frames, and the most bytes, a client forwards per second. Further frames wait in their
/// senders' lanes, which drop their oldest.
const FRAMES: u32 = 20_000;
const BYTES: u32 = 128 * 1024 * 1024;

/// The most reports and answers per second that the other process accepts. A client sends six.
const CONTROL: u32 = 60;

/// The factor by which a client may exceed its limit, since clocks and pipes are inexact.
const MARGIN: u32 = 4;

/// The burst allowed: what the rate permits in this time.
const BURST: Duration = Duration::from_secs(1);

/// Measures the rate of one kind of record.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_record: Duration,
    per_byte: f64,
    /// When all records counted so far would have arrived at exactly this rate.
    ahead: Instant,
}

impl RateLimit {
    /// The limit a client keeps to when it forwards frames.
    pub(super) fn for_sent_frames(now: Instant) -> Self {
        Self {
            per_record: Duration::from_secs(1) / FRAMES,
            per_byte: 1.0 / f64::from(BYTES),
            ahead: now,
        }
    }

    /// The limit enforced on frames from a client.
    pub(super) fn for_received_frames(now: Instant) -> Self {
        let sent = Self::for_sent_frames(now);
        Self {
            per_record: sent.per_record / MARGIN,
            per_byte: sent.per_byte / f64::from(MARGIN),
            ahead: now,
        }
    }

    /// The limit enforced on reports and answers from a client.
    pub(super) fn for_received_control(now: Instant) -> Self {
        Self {
            per_record: Duration::from_secs(1) / CONTROL,
            per_byte: 0.0,
            ahead: now,
        }
    }

    /// Counts a record of this size; returns by how long it exceeds the rate, if it does.
    pub(super) fn count(&mut self, now: Instant, bytes: usize) -> Option<Duration> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a record has far fewer than 2^52 bytes"
        )]
        let cost = self.per_record + Duration::from_secs_f64(self.per_byte * bytes as f64);
        self.ahead = self.ahead.max(now) + cost;
        let early = self.ahead.duration_since(now).saturating_sub(BURST);
        (!early.is_zero()).then_some(early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of `records` records exceed the rate if one arrives per `each`.
    fn early(
        rate: &mut RateLimit,
        start: Instant,
        records: u32,
        each: Duration,
        bytes: usize,
    ) -> u32 {
        let times = (0..records).map(|record| start + each * record);
        let early = times.filter(|now| rate.count(*now, bytes).is_some());
        u32::try_from(early.count()).expect("no more than there are")
    }

    #[test]
    fn records_within_the_rate_and_a_burst_are_accepted() {
        let now = Instant::now();
        let each = Duration::from_secs(1) / FRAMES;
        let mut rate = RateLimit::for_sent_frames(now);
        assert_eq!(early(&mut rate, now, 5 * FRAMES, each, 0), 0);
        let mut rate = RateLimit::for_sent_frames(now);
        assert_eq!(early(&mut rate, now, FRAMES, Duration::ZERO, 0), 0);
        assert!(rate.count(now, 0).is_some());
        // A second later, a second's worth is accepted again.
        let later = now + Duration::from_secs(1);
        assert_eq!(early(&mut rate, later, FRAMES - 1, Duration::ZERO, 0), 0);
        assert!(rate.count(later, 0).is_some());
    }

    #[test]
    fn bytes_count_as_well() {
        let now = Instant::now();
        let mut rate = RateLimit::for_sent_frames(now);
        let half = usize::try_from(BYTES / 2).expect("64 MiB");
        assert_eq!(rate.count(now, half), None);
        assert!(rate.count(now, half).is_some());
    }

    #[test]
    fn a_client_at_its_limit_stays_far_below_the_enforced_one() {
        let now = Instant::now();
        let (mut sent, mut received) = (
            RateLimit::for_sent_frames(now),
            RateLimit::for_received_frames(now),
        );
        let mut at = now;
        for record in 0_usize..200_000 {
            let bytes = if record.is_multiple_of(1_000) {
                9_000_000
            } else {
                200
            };
            // The client waits as long as it exceeds the rate.
            at += sent.count(at, bytes).unwrap_or_default();
            assert_eq!(received.count(at, bytes), None, "record {record}");
        }
        let flood = early(&mut received, at, 20 * FRAMES, Duration::ZERO, 0);
        assert!(flood > 0);
    }

    #[test]
    fn reports_every_200_ms_and_an_answer_every_second_are_accepted() {
        let now = Instant::now();
        let mut rate = RateLimit::for_received_control(now);
        assert_eq!(
            early(&mut rate, now, 600, Duration::from_millis(160), 900),
            0
        );
        assert!(
            early(
                &mut rate,
                now + Duration::from_secs(200),
                100,
                Duration::ZERO,
                0
            ) > 0
        );
    }
}
