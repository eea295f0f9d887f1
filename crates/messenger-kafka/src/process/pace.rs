//! How much a client may say in a time.
//!
//! A client keeps to its pace; one that goes far beyond it is no client any more, and is stopped.

use core::time::Duration;

use tokio::time::Instant;

/// What a client hands on in a second at most, if it is of the smallest frames, or of the largest.
/// What is more waits in the lanes of those who sent it, which drop their oldest.
const FRAMES: u32 = 20_000;
const BYTES: u32 = 128 * 1024 * 1024;

/// How many reports and answers a second the other process takes. A client makes six.
const WORDS: u32 = 60;

/// How many times the pace of a client is taken from it: clocks and pipes are not exact.
const MARGIN: u32 = 4;

/// How much may come at once: what the pace allows in this time.
const BURST: Duration = Duration::from_secs(1);

/// Measures one kind of records.
#[derive(Debug)]
pub(super) struct Pace {
    per_record: Duration,
    per_byte: f64,
    /// By when all that was counted would have come, at this pace exactly.
    ahead: Instant,
}

impl Pace {
    /// The pace to which a client keeps with frames.
    pub(super) fn of_frames(now: Instant) -> Self {
        Self {
            per_record: Duration::from_secs(1) / FRAMES,
            per_byte: 1.0 / f64::from(BYTES),
            ahead: now,
        }
    }

    /// The pace beyond which no client goes with frames.
    pub(super) fn taken_of_frames(now: Instant) -> Self {
        let kept = Self::of_frames(now);
        Self {
            per_record: kept.per_record / MARGIN,
            per_byte: kept.per_byte / f64::from(MARGIN),
            ahead: now,
        }
    }

    /// The pace beyond which no client goes with reports and answers.
    pub(super) fn taken_of_words(now: Instant) -> Self {
        Self {
            per_record: Duration::from_secs(1) / WORDS,
            per_byte: 0.0,
            ahead: now,
        }
    }

    /// Counts a record of so many bytes; how long it comes too early, if it does.
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

    /// How many of so many records come too early, if one comes each so often.
    fn early(pace: &mut Pace, start: Instant, records: u32, each: Duration, bytes: usize) -> u32 {
        let times = (0..records).map(|record| start + each * record);
        let early = times.filter(|now| pace.count(*now, bytes).is_some());
        u32::try_from(early.count()).expect("no more than there are")
    }

    #[test]
    fn what_keeps_its_pace_is_never_too_early_and_a_burst_is_taken() {
        let now = Instant::now();
        let each = Duration::from_secs(1) / FRAMES;
        let mut pace = Pace::of_frames(now);
        assert_eq!(early(&mut pace, now, 5 * FRAMES, each, 0), 0);
        let mut pace = Pace::of_frames(now);
        assert_eq!(early(&mut pace, now, FRAMES, Duration::ZERO, 0), 0);
        assert!(pace.count(now, 0).is_some());
        // A second later a second's worth is taken again.
        let later = now + Duration::from_secs(1);
        assert_eq!(early(&mut pace, later, FRAMES - 1, Duration::ZERO, 0), 0);
        assert!(pace.count(later, 0).is_some());
    }

    #[test]
    fn bytes_count_besides() {
        let now = Instant::now();
        let mut pace = Pace::of_frames(now);
        let half = usize::try_from(BYTES / 2).expect("64 MiB");
        assert_eq!(pace.count(now, half), None);
        assert!(pace.count(now, half).is_some());
    }

    #[test]
    fn a_client_at_its_pace_is_far_from_what_is_taken_of_it() {
        let now = Instant::now();
        let (mut kept, mut taken) = (Pace::of_frames(now), Pace::taken_of_frames(now));
        let mut at = now;
        for record in 0_usize..200_000 {
            let bytes = if record.is_multiple_of(1_000) {
                9_000_000
            } else {
                200
            };
            // It waits for as long as it is too early.
            at += kept.count(at, bytes).unwrap_or_default();
            assert_eq!(taken.count(at, bytes), None, "record {record}");
        }
        let flood = early(&mut taken, at, 20 * FRAMES, Duration::ZERO, 0);
        assert!(flood > 0);
    }

    #[test]
    fn reports_each_200_ms_and_an_answer_each_second_are_taken() {
        let now = Instant::now();
        let mut pace = Pace::taken_of_words(now);
        assert_eq!(
            early(&mut pace, now, 600, Duration::from_millis(160), 900),
            0
        );
        assert!(
            early(
                &mut pace,
                now + Duration::from_secs(200),
                100,
                Duration::ZERO,
                0
            ) > 0
        );
    }
}
