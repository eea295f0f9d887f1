//! The machine that a driver holds. It dispatches inputs: `handle` records them, `rules` acts on
//! them.

use std::collections::BTreeMap;

use federation_chain::{BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};
use serde::Serialize;

use crate::{
    Config, Input, Output, Record, Standing,
    outbox::Outbox,
    rules::Rules,
    state::{Height, LastDecided, Recovered, Step},
    timing::BodyTiming,
    vote_keeper::VoteKeeper,
};

/// The phase of a height that a machine is in, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No tip is known yet, or the node is behind what is final.
    NoTip,
    /// Before the height's start.
    Waiting,
    /// Before this operator's prevote.
    Propose,
    /// Between this operator's prevote and its precommit.
    Prevote,
    /// After this operator's precommit.
    Precommit,
    /// A block is decided, and is being signed or submitted.
    Decided,
    /// The store failed.
    Halted,
}

/// The state of a machine, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The current height, worked on or waited for; 0 without a tip.
    pub height: BlockHeight,
    /// The round.
    pub round: Round,
    /// The operator that leads the round.
    pub leader: OperatorId,
    /// The phase.
    pub phase: Phase,
    /// Whether the machine only observes.
    pub observing: bool,
}

/// One operator's state machine of the protocol `agreed`.
///
/// See the [crate's documentation](crate) for how to drive it.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) config: Config,
    pub(crate) standing: Standing,
    /// Whether to store the standing with the first tip.
    pub(crate) standing_is_new: bool,
    /// The highest height known to be final; there is no work at or below it.
    pub(crate) last_final: Option<BlockHeight>,
    /// What the store holds about heights not worked on yet.
    pub(crate) recovered: BTreeMap<BlockHeight, Recovered>,
    pub(crate) height: Option<Height>,
    /// What was received early for the height above the current one.
    pub(crate) next: VoteKeeper,
    pub(crate) last_decided: Option<LastDecided>,
    pub(crate) timing: BodyTiming,
    pub(crate) clock: UnixTime,
    pub(crate) halted: bool,
    pub(crate) out: Outbox,
}

impl Machine {
    /// Creates a machine that resumes from `records`: everything that the store holds, in any
    /// order.
    #[must_use]
    pub fn new(config: Config, records: Vec<Record>) -> Self {
        let mut stored = None;
        let mut last_final = None;
        let mut recovered: BTreeMap<BlockHeight, Recovered> = BTreeMap::new();
        for record in records {
            match record {
                Record::Final(height) => last_final = last_final.max(Some(height)),
                Record::Standing(standing) => stored = Some(standing),
                _ => {
                    if let Some(height) = record.height() {
                        recovered.entry(height).or_default().add(record);
                    }
                }
            }
        }
        #[cfg(test)]
        if config.mutation == Some(crate::mutation::Mutation::ForgetLock) {
            recovered.values_mut().for_each(Recovered::forget_lock);
        }
        let standing = match stored {
            // It resumes where it was, even if the flag is still set.
            Some(stored) if stored.is_observing() || !config.observe() => stored,
            None if !config.observe() => Standing::Participating,
            _ => Standing::Observing { since: None },
        };
        Self {
            // An observer's standing becomes new with the first tip, which sets when observing
            // began.
            standing_is_new: false,
            config,
            standing,
            last_final,
            recovered,
            height: None,
            next: VoteKeeper::default(),
            last_decided: None,
            timing: BodyTiming::default(),
            clock: UnixTime::from_millis(0),
            halted: false,
            out: Outbox::default(),
        }
    }

    /// Handles an input. Drain [`poll_output`](Self::poll_output) afterwards.
    ///
    /// `now` may go backwards, as clocks do; deadlines move back with it.
    pub fn handle(&mut self, now: UnixTime, input: Input) {
        if self.halted {
            return;
        }
        self.restart_observing_if_clock_was_set(self.clock, now);
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
                // R28: without a store nothing more may be sent.
                self.halted = true;
                self.out.close();
                return;
            }
            Input::Tick => {}
        }
        if let Some(mut rules) = self.rules(now) {
            rules.run();
        }
    }

    /// Returns the next output; all [`Persist`](Output::Persist) come first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// Returns when to call [`handle`](Self::handle) with a [`Tick`](Input::Tick) if no other input
    /// comes before.
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
        let soon = self.clock.saturating_add(self.config.max_drift() / 2);
        Some(timeout.map_or(soon, |timeout| timeout.min(soon)))
    }

    /// Returns the state of the machine.
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

    /// Returns the parameters it runs with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn observing(&self) -> bool {
        self.standing.is_observing()
    }

    pub(crate) fn rules(&mut self, now: UnixTime) -> Option<Rules<'_>> {
        let observing = self.observing();
        Some(Rules {
            config: &self.config,
            observing,
            now,
            height: self.height.as_mut()?,
            timing: &mut self.timing,
            out: &mut self.out,
        })
    }

    /// When the clock was set back, moves the deadlines back too, or they would be out of reach.
    fn follow_clock(&mut self, now: UnixTime) {
        if now < self.clock {
            let by = self.clock.saturating_duration_since(now);
            self.timing.shift_back(by);
            if let Some(height) = &mut self.height {
                height.shift_back(by);
            }
            if let Some(last_decided) = &mut self.last_decided {
                last_decided.last_help = last_decided.last_help.saturating_sub(by);
                last_decided.replies.shift_back(by);
            }
        }
        self.clock = now;
    }
}
