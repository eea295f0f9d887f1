//! Tracks whether this operator does its duties: blocks may continue without it, so repeated failures
//! must be reported.

use std::collections::BTreeMap;

use crate::{Duty, Event};

/// Failed turns before the first report.
const FIRST_REPORT: u32 = 3;

/// The failures of a duty since it was last done.
#[derive(Debug, Default)]
struct Failing {
    turns: u32,
    reported: u32,
}

/// Counts failed turns and reports them at 3, 6, 12 and so on.
#[derive(Debug, Default)]
pub(super) struct Duties {
    failing: BTreeMap<Duty, Failing>,
}

impl Duties {
    /// Records whether a duty was done, or the reason why not; returns the event to report, if any.
    pub(super) fn record(&mut self, duty: Duty, result: Result<(), String>) -> Option<Event> {
        let Err(reason) = result else {
            let ended = self.failing.remove(&duty)?;
            return (ended.reported > 0).then_some(Event::DutyResumed(duty));
        };
        let failing = self.failing.entry(duty).or_default();
        failing.turns = failing.turns.saturating_add(1);
        let next = match failing.reported {
            0 => FIRST_REPORT,
            reported => reported.saturating_mul(2),
        };
        (failing.turns >= next).then(|| {
            failing.reported = failing.turns;
            Event::DutyFailed {
                duty,
                turns: failing.turns,
                reason,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_turns_are_reported_ever_less_often_and_their_end_once() {
        let mut duties = Duties::default();
        let reported: Vec<u32> = (1..=30)
            .filter_map(|_| duties.record(Duty::Sign, Err("no".to_owned())))
            .map(|event| match event {
                Event::DutyFailed { turns, .. } => turns,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(reported, [3, 6, 12, 24]);
        assert_eq!(duties.record(Duty::Test, Ok(())), None, "another duty");
        let again = Some(Event::DutyResumed(Duty::Sign));
        assert_eq!(duties.record(Duty::Sign, Ok(())), again);
        assert_eq!(duties.record(Duty::Sign, Ok(())), None);
    }

    #[test]
    fn occasional_failures_are_not_reported() {
        let mut duties = Duties::default();
        for _ in 0..20 {
            assert_eq!(duties.record(Duty::Sign, Err("busy".to_owned())), None);
            assert_eq!(duties.record(Duty::Sign, Err("busy".to_owned())), None);
            assert_eq!(duties.record(Duty::Sign, Ok(())), None);
        }
    }
}
