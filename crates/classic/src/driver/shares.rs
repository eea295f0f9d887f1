//! Whether this operator does its share: who fails in each turn is out, though blocks come without it.

use std::collections::BTreeMap;

use crate::{Event, Share};

/// So many turns in which it was asked and failed are told.
const TURNS: u32 = 3;

/// What was not done since the last time that it was.
#[derive(Debug, Default)]
struct Failing {
    turns: u32,
    told: u32,
}

/// Counts, and tells at three turns, six, twelve and so on.
#[derive(Debug, Default)]
pub(super) struct Shares {
    failing: BTreeMap<Share, Failing>,
}

impl Shares {
    /// Notes what became of a share; a reason if it was not done.
    pub(super) fn note(&mut self, share: Share, result: Result<(), String>) -> Option<Event> {
        let Err(reason) = result else {
            let ended = self.failing.remove(&share)?;
            return (ended.told > 0).then_some(Event::DoneAgain(share));
        };
        let failing = self.failing.entry(share).or_default();
        failing.turns = failing.turns.saturating_add(1);
        let next = match failing.told {
            0 => TURNS,
            told => told.saturating_mul(2),
        };
        (failing.turns >= next).then(|| {
            failing.told = failing.turns;
            Event::Missed {
                share,
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
    fn failing_turns_are_told_ever_more_seldom_and_their_end_once() {
        let mut shares = Shares::default();
        let told: Vec<u32> = (1..=30)
            .filter_map(|_| shares.note(Share::Sign, Err("no".to_owned())))
            .map(|event| match event {
                Event::Missed { turns, .. } => turns,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [3, 6, 12, 24]);
        assert_eq!(shares.note(Share::Test, Ok(())), None, "another share");
        let again = Some(Event::DoneAgain(Share::Sign));
        assert_eq!(shares.note(Share::Sign, Ok(())), again);
        assert_eq!(shares.note(Share::Sign, Ok(())), None);
    }

    #[test]
    fn a_failure_now_and_then_is_not_told() {
        let mut shares = Shares::default();
        for _ in 0..20 {
            assert_eq!(shares.note(Share::Sign, Err("busy".to_owned())), None);
            assert_eq!(shares.note(Share::Sign, Err("busy".to_owned())), None);
            assert_eq!(shares.note(Share::Sign, Ok(())), None);
        }
    }
}
