//! The machine: what the driver holds. Inputs are sorted here; `handle` notes them, `work` acts.

use std::collections::BTreeMap;

use federation_chain::{BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

use crate::{
    Config, Input, Output, Record, Standing,
    ballots::Ballots,
    outbox::Outbox,
    pace::Pace,
    state::{Finished, Height, Memory, Step},
    work::Work,
};

/// Where in a height a machine is, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No tip known yet, or the node is behind what is final.
    NoTip,
    /// Before the height's start.
    Waiting,
    /// Before the own prevote.
    Propose,
    /// Between the own prevote and the own precommit.
    Prevote,
    /// After the own precommit.
    Precommit,
    /// The block is decided and being signed or submitted.
    Decided,
    /// The store failed.
    Halted,
}

/// Where a machine is, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The height worked on, or waited for; 0 without a tip.
    pub height: BlockHeight,
    /// The round.
    pub round: Round,
    /// Who leads the round.
    pub leader: OperatorId,
    /// The phase.
    pub phase: Phase,
    /// Whether the machine only watches.
    pub observing: bool,
}

/// One operator's state machine of the protocol `agreed`.
///
/// See the [crate's documentation](crate) for how it is driven.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) config: Config,
    pub(crate) standing: Standing,
    /// Whether the standing is to be stored with the first tip.
    pub(crate) standing_is_new: bool,
    /// The highest height known to be final; nothing at or below it is worked on.
    pub(crate) last_final: Option<BlockHeight>,
    /// What the store remembered of heights not yet worked on.
    pub(crate) memory: BTreeMap<BlockHeight, Memory>,
    pub(crate) height: Option<Height>,
    /// What came early for the height above the one worked on.
    pub(crate) next: Ballots,
    pub(crate) finished: Option<Finished>,
    pub(crate) pace: Pace,
    pub(crate) clock: UnixTime,
    pub(crate) halted: bool,
    pub(crate) out: Outbox,
}

impl Machine {
    /// A machine that remembers `records`, in any order: all that the store holds.
    #[must_use]
    pub fn new(config: Config, records: Vec<Record>) -> Self {
        let mut stored = None;
        let mut last_final = None;
        let mut memory: BTreeMap<BlockHeight, Memory> = BTreeMap::new();
        for record in records {
            match record {
                Record::Final(height) => last_final = last_final.max(Some(height)),
                Record::Standing(standing) => stored = Some(standing),
                _ => {
                    if let Some(height) = record.height() {
                        memory.entry(height).or_default().recall(record);
                    }
                }
            }
        }
        #[cfg(test)]
        if config.mutation == Some(crate::mutation::Mutation::ForgetLock) {
            memory.values_mut().for_each(Memory::forget_lock);
        }
        let standing = match stored {
            // It goes on where it was, also if the flag is still there.
            Some(stored) if stored.is_observing() || !config.observe() => stored,
            None if !config.observe() => Standing::TakingPart,
            _ => Standing::Observing { since: None },
        };
        Self {
            // An observer's standing is new with the first tip, which says since when.
            standing_is_new: false,
            config,
            standing,
            last_final,
            memory,
            height: None,
            next: Ballots::default(),
            finished: None,
            pace: Pace::default(),
            clock: UnixTime::from_millis(0),
            halted: false,
            out: Outbox::default(),
        }
    }

    /// Takes an input. Drain [`poll_output`](Self::poll_output) after it.
    ///
    /// `now` may go back, as clocks do: deadlines then move back with it.
    pub fn handle(&mut self, now: UnixTime, input: Input) {
        if self.halted {
            return;
        }
        self.observe_anew_if_clock_was_set(self.clock, now);
        self.follow_clock(now);
        match input {
            Input::Tip(tip) => self.on_tip(now, tip),
            Input::Template {
                height,
                round,
                candidate,
            } => self.on_template(now, height, round, candidate),
            Input::TemplateFailed { height, round } => self.on_template_failed(height, round),
            Input::Tested { candidate, verdict } => self.on_tested(&candidate, verdict),
            Input::Received(message) => self.on_received(now, message),
            Input::Body { from, candidate } => self.on_body(now, from, candidate),
            Input::Signed {
                height,
                hash,
                signature,
            } => self.on_signed(now, height, hash, signature),
            Input::SignRefused {
                height,
                hash,
                reason,
            } => self.on_sign_refused(height, hash, reason),
            Input::SignUnavailable { height, hash: _ } => self.on_sign_unavailable(height),
            Input::Submitted {
                height,
                hash,
                outcome,
            } => self.on_submitted(height, hash, outcome),
            Input::StoreFailed => {
                // R28: without memory nothing may be said any more.
                self.halted = true;
                self.out.close();
                return;
            }
            Input::Tick => {}
        }
        if let Some(mut work) = self.work(now) {
            work.run();
        }
    }

    /// The next thing to do; all [`Persist`](Output::Persist) come first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// When to come back with a [`Tick`](Input::Tick) if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        if self.halted {
            return None;
        }
        let timeout = self.height.as_ref()?.timeout();
        if !self.observing() {
            return timeout;
        }
        // Often enough to tell a clock that was set from time that has passed.
        let soon = self.clock.after(self.config.max_drift() / 2);
        Some(timeout.map_or(soon, |timeout| timeout.min(soon)))
    }

    /// Where the machine is.
    #[must_use]
    pub fn status(&self) -> Status {
        let height = self
            .height
            .as_ref()
            .map_or(BlockHeight::GENESIS, Height::number);
        let round = self.height.as_ref().map_or(Round::FIRST, |h| h.round);
        let phase = match self.height.as_ref().map(|h| h.step) {
            _ if self.halted => Phase::Halted,
            None => Phase::NoTip,
            Some(Step::Waiting { .. }) => Phase::Waiting,
            Some(Step::Propose { .. }) => Phase::Propose,
            Some(Step::Prevote { .. }) => Phase::Prevote,
            Some(Step::Precommit) => Phase::Precommit,
            Some(Step::Decided) => Phase::Decided,
        };
        Status {
            height,
            round,
            leader: self.config.leader(height, round),
            phase,
            observing: self.observing(),
        }
    }

    /// The parameters it runs by.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn observing(&self) -> bool {
        self.standing.is_observing()
    }

    pub(crate) fn work(&mut self, now: UnixTime) -> Option<Work<'_>> {
        let observing = self.observing();
        Some(Work {
            config: &self.config,
            observing,
            now,
            height: self.height.as_mut()?,
            pace: &mut self.pace,
            out: &mut self.out,
        })
    }

    /// When the clock was set back, deadlines follow, or they would be out of reach.
    fn follow_clock(&mut self, now: UnixTime) {
        if now < self.clock {
            let by = self.clock.since(now);
            self.pace.set_back(by);
            if let Some(height) = &mut self.height {
                height.set_back(by);
            }
            if let Some(finished) = &mut self.finished {
                finished.helped = finished.helped.before(by);
                finished.answers.set_back(by);
            }
        }
        self.clock = now;
    }
}
