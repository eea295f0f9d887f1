//! Whether this operator does its share: who is asked and fails, again and again, is out, however well
//! the chain does without it.
//!
//! Only what was asked for counts. An operator that is slower than the M fastest, so that a block is
//! there before it was asked, has missed nothing.

use std::{collections::BTreeMap, time::Duration};

use federation_block_signing::{Alarm, Duty};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use tokio::time::Instant;

/// The least time after which a share that fails again and again at one height is told of.
const LEAST: Duration = Duration::from_secs(5);

/// Blocks that were refused and are not final yet, at the most: a node works on one height.
const MOST_REFUSED: usize = 64;

/// Why a share was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: String,
    /// Whether somebody said no; otherwise it may pass.
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

/// What became of a share that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed(Fault),
    /// The node or the policy refuses this block: that is wrong if it becomes final, and right
    /// otherwise.
    RefusedBlock(BlockHash, String),
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Raised(Alarm),
    Mended(Duty),
}

/// A share that was not done since the last time that it was.
#[derive(Debug)]
pub(super) struct Streak {
    /// When it failed first.
    pub(super) since: UnixTime,
    fault: Fault,
    /// How many blocks came meanwhile for which it failed.
    pub(super) blocks: u32,
    failures: u32,
    /// Up to which height blocks were counted.
    counted: BlockHeight,
    /// The highest height at which it failed.
    latest: BlockHeight,
    /// A height at which it failed whose block is not there yet, and since when that waits.
    open: Option<(BlockHeight, Instant)>,
    /// At how many blocks it was told.
    told: Option<u32>,
}

/// Keeps account of the shares of one operator.
#[derive(Debug)]
pub(super) struct Account {
    /// So many blocks without a share are an alarm.
    after: u32,
    /// And so much time at one height.
    patience: Duration,
    tip: BlockHeight,
    streaks: BTreeMap<Duty, Streak>,
    /// The highest height of each duty that was done.
    done: BTreeMap<Duty, BlockHeight>,
    /// Blocks that node or policy refuse, until it is known whether they become final.
    refused: BTreeMap<(BlockHeight, BlockHash), String>,
}

impl Account {
    pub(super) fn new(after: u32, interval: Duration) -> Self {
        let after = after.max(1);
        Self {
            after,
            patience: (interval * after).max(LEAST),
            tip: BlockHeight::GENESIS,
            streaks: BTreeMap::new(),
            done: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// What is told of as not done.
    pub(super) fn told(&self) -> impl Iterator<Item = (Duty, &Streak)> {
        let all = self.streaks.iter().filter(|(_, s)| s.told.is_some());
        all.map(|(duty, streak)| (*duty, streak))
    }

    /// Whether a share failed at a height whose block is not there yet, and was not done since.
    pub(super) fn fails_at(&self, duty: Duty, height: BlockHeight) -> bool {
        let open = self.streaks.get(&duty).and_then(|streak| streak.open);
        open.is_some_and(|(open, _)| open == height)
    }

    /// Notes what became of a share.
    pub(super) fn note(
        &mut self,
        now: UnixTime,
        duty: Duty,
        height: BlockHeight,
        outcome: Outcome,
    ) -> Option<Change> {
        match outcome {
            Outcome::Done => {
                let done = self.done.entry(duty).or_insert(height);
                *done = height.max(*done);
                // What was asked for earlier and comes now says nothing of what failed since.
                self.streaks
                    .get(&duty)
                    .filter(|streak| streak.latest <= height)?;
                let ended = self.streaks.remove(&duty)?;
                ended.told.map(|_| Change::Mended(duty))
            }
            Outcome::Failed(fault) => self.failed(now, duty, height, fault),
            Outcome::RefusedBlock(hash, reason) => {
                self.refused.insert((height, hash), reason);
                while self.refused.len() > MOST_REFUSED {
                    self.refused.pop_first();
                }
                None
            }
        }
    }

    /// The chain has a block more.
    pub(super) fn over(
        &mut self,
        now: UnixTime,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Vec<Change> {
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
            changes.extend(self.failed(now, Duty::Test, height, fault));
        } else if was_asked {
            changes.extend(self.note(now, Duty::Test, height, Outcome::Done));
        }
        for (duty, streak) in &mut self.streaks {
            if let Some((open, _)) = streak.open.filter(|(open, _)| *open <= height) {
                streak.open = None;
                streak.count(open, open);
            }
            changes.extend(streak.tell(*duty, self.after));
        }
        changes
    }

    /// Time has passed: at a height that does not end for want of this share no blocks are counted.
    pub(super) fn look(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (duty, streak) in &mut self.streaks {
            let waits = streak.open.map(|(_, since)| since.elapsed());
            let is_stuck =
                streak.failures > 1 && waits.is_some_and(|for_it| for_it >= self.patience);
            if is_stuck && streak.told.is_none() {
                streak.told = Some(streak.blocks.max(1));
                changes.push(Change::Raised(streak.alarm(*duty)));
            }
        }
        changes
    }

    fn failed(
        &mut self,
        now: UnixTime,
        duty: Duty,
        height: BlockHeight,
        fault: Fault,
    ) -> Option<Change> {
        // What hung so long that later blocks had it is over. At the height that is worked on a share is
        // asked for in each round, and what was done in an earlier one does not help.
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
            told: None,
        });
        streak.fault = fault;
        streak.failures = streak.failures.saturating_add(1);
        streak.latest = streak.latest.max(height);
        if !is_over {
            if streak.open.is_none_or(|(open, _)| open != height) {
                streak.open = Some((height, Instant::now()));
            }
        } else {
            // All that came while it failed.
            streak.count(height, self.tip);
        }
        streak.tell(duty, self.after)
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

    /// At so many blocks, at twice as many, and so on.
    fn tell(&mut self, duty: Duty, after: u32) -> Option<Change> {
        let next = match self.told {
            None => after,
            Some(told) => told.max(after).saturating_mul(2),
        };
        (self.blocks >= next).then(|| {
            self.told = Some(self.blocks);
            Change::Raised(self.alarm(duty))
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
