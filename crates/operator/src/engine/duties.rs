//! Whether this operator fulfils its duties. One that is asked and fails again and again is in
//! effect absent, however well the chain does without it.
//!
//! Only duties that were asked for count. If a block was complete before this operator was asked,
//! because M others were faster, it has missed nothing.

use std::{collections::BTreeMap, time::Duration};

use federation_block_signing::{Alarm, Duty};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use tokio::time::Instant;

/// The shortest time after which a duty that fails repeatedly at one height is reported.
const MIN_PATIENCE: Duration = Duration::from_secs(5);

/// The most refused blocks that are kept until they are known to be final or not.
const MAX_REFUSED: usize = 64;

/// Why a duty was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: String,
    /// Whether it was refused; otherwise the fault may be temporary.
    pub(super) refused: bool,
}

impl Fault {
    pub(super) fn passing(reason: impl ToString) -> Self {
        Self {
            reason: reason.to_string(),
            refused: false,
        }
    }

    pub(super) fn refusal(reason: impl ToString) -> Self {
        Self {
            reason: reason.to_string(),
            refused: true,
        }
    }
}

/// The outcome of a duty that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DutyOutcome {
    Done,
    Failed(Fault),
    /// Node or policy refused this block: a fault if the block becomes final, and right otherwise.
    RefusedBlock(BlockHash, String),
}

/// A change to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DutyChange {
    Raised(Alarm),
    Recovered(Duty),
}

/// A duty's failures since it was last fulfilled.
#[derive(Debug)]
pub(super) struct Streak {
    /// When the duty first failed.
    pub(super) since: UnixTime,
    fault: Fault,
    /// How many blocks came meanwhile for which the duty failed.
    pub(super) blocks: u32,
    failures: u32,
    /// The height up to which blocks were counted.
    counted: BlockHeight,
    /// The highest height at which the duty failed.
    latest: BlockHeight,
    /// A height at which the duty failed and that has no block yet, and the time of the failure.
    open: Option<(BlockHeight, Instant)>,
    /// The number of blocks at the last report.
    reported: Option<u32>,
}

/// Keeps track of one operator's duties.
#[derive(Debug)]
pub(super) struct DutyTracker {
    /// How many blocks without a duty raise an alarm.
    after: u32,
    /// How long a duty may keep failing at one height before that raises an alarm.
    patience: Duration,
    tip: BlockHeight,
    streaks: BTreeMap<Duty, Streak>,
    /// The highest height at which each duty was fulfilled.
    done: BTreeMap<Duty, BlockHeight>,
    /// Blocks that node or policy refused, until it is known whether they become final.
    refused: BTreeMap<(BlockHeight, BlockHash), String>,
}

impl DutyTracker {
    pub(super) fn new(after: u32, interval: Duration) -> Self {
        let after = after.max(1);
        Self {
            after,
            patience: (interval * after).max(MIN_PATIENCE),
            tip: BlockHeight::GENESIS,
            streaks: BTreeMap::new(),
            done: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// The duties that are reported as failing.
    pub(super) fn reported(&self) -> impl Iterator<Item = (Duty, &Streak)> {
        let all = self.streaks.iter().filter(|(_, s)| s.reported.is_some());
        all.map(|(duty, streak)| (*duty, streak))
    }

    /// Whether a duty failed at a height that has no block yet, and was not fulfilled since.
    pub(super) fn fails_at(&self, duty: Duty, height: BlockHeight) -> bool {
        let open = self.streaks.get(&duty).and_then(|streak| streak.open);
        open.is_some_and(|(open, _)| open == height)
    }

    /// Records the outcome of a duty.
    pub(super) fn record(
        &mut self,
        now: UnixTime,
        duty: Duty,
        height: BlockHeight,
        outcome: DutyOutcome,
    ) -> Option<DutyChange> {
        match outcome {
            DutyOutcome::Done => {
                let done = self.done.entry(duty).or_insert(height);
                *done = height.max(*done);
                // A late answer for an earlier height does not make up for failures since.
                self.streaks
                    .get(&duty)
                    .filter(|streak| streak.latest <= height)?;
                let ended = self.streaks.remove(&duty)?;
                ended.reported.map(|_| DutyChange::Recovered(duty))
            }
            DutyOutcome::Failed(fault) => self.record_failure(now, duty, height, fault),
            DutyOutcome::RefusedBlock(hash, reason) => {
                self.refused.insert((height, hash), reason);
                while self.refused.len() > MAX_REFUSED {
                    self.refused.pop_first();
                }
                None
            }
        }
    }

    /// Records a new block of the chain.
    pub(super) fn on_block(
        &mut self,
        now: UnixTime,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Vec<DutyChange> {
        self.tip = height.max(self.tip);
        let mut changes = Vec::new();
        let later = self
            .refused
            .split_off(&(height.next(), BlockHash::from_bytes([0; 32])));
        let settled = core::mem::replace(&mut self.refused, later);
        let wrong = settled.get(&(height, hash)).cloned();
        let was_asked = settled.keys().any(|(at, _)| *at == height);
        if let Some(reason) = wrong {
            let fault = Fault::refusal(format!("refused block {hash}, which is final: {reason}"));
            changes.extend(self.record_failure(now, Duty::Test, height, fault));
        } else if was_asked {
            changes.extend(self.record(now, Duty::Test, height, DutyOutcome::Done));
        }
        for (duty, streak) in &mut self.streaks {
            if let Some((open, _)) = streak.open.filter(|(open, _)| *open <= height) {
                streak.open = None;
                streak.count(open, open);
            }
            changes.extend(streak.report_at(*duty, self.after));
        }
        changes
    }

    /// Checks for duties that keep failing at one height: as long as that height lacks its block,
    /// no blocks are counted.
    pub(super) fn check_stuck(&mut self) -> Vec<DutyChange> {
        let mut changes = Vec::new();
        for (duty, streak) in &mut self.streaks {
            let waits = streak.open.map(|(_, since)| since.elapsed());
            let is_stuck =
                streak.failures > 1 && waits.is_some_and(|for_it| for_it >= self.patience);
            if is_stuck && streak.reported.is_none() {
                streak.reported = Some(streak.blocks.max(1));
                changes.push(DutyChange::Raised(streak.alarm(*duty)));
            }
        }
        changes
    }

    fn record_failure(
        &mut self,
        now: UnixTime,
        duty: Duty,
        height: BlockHeight,
        fault: Fault,
    ) -> Option<DutyChange> {
        // A call that hung while the duty was fulfilled for later blocks no longer counts. At the
        // height that is worked on the duty is asked for in each round, and having fulfilled it in
        // an earlier round does not help.
        let is_over = height <= self.tip;
        if is_over && self.done.get(&duty).is_some_and(|done| *done >= height) {
            return None;
        }
        let streak = self.streaks.entry(duty).or_insert_with(|| Streak {
            since: now,
            fault: fault.clone(),
            blocks: 0,
            failures: 0,
            counted: BlockHeight::GENESIS,
            latest: height,
            open: None,
            reported: None,
        });
        streak.fault = fault;
        streak.failures = streak.failures.saturating_add(1);
        streak.latest = streak.latest.max(height);
        if !is_over {
            if streak.open.is_none_or(|(open, _)| open != height) {
                streak.open = Some((height, Instant::now()));
            }
        } else {
            // All blocks that came while the duty failed.
            streak.count(height, self.tip);
        }
        streak.report_at(duty, self.after)
    }
}

impl Streak {
    fn count(&mut self, from: BlockHeight, to: BlockHeight) {
        let from = from.max(self.counted.next());
        if from <= to {
            self.blocks = self
                .blocks
                .saturating_add(to.to_u32() - from.to_u32())
                .saturating_add(1);
            self.counted = to;
        }
    }

    /// Reports the streak at `after` blocks, at twice as many, and so on.
    fn report_at(&mut self, duty: Duty, after: u32) -> Option<DutyChange> {
        let next = match self.reported {
            None => after,
            Some(reported) => reported.max(after).saturating_mul(2),
        };
        (self.blocks >= next).then(|| {
            self.reported = Some(self.blocks);
            DutyChange::Raised(self.alarm(duty))
        })
    }

    pub(super) fn alarm(&self, duty: Duty) -> Alarm {
        Alarm::Missed {
            duty,
            blocks: self.blocks,
            reason: self.fault.reason.clone(),
            refused: self.fault.refused,
        }
    }
}

#[cfg(test)]
mod tests;
