//! The rules of `docs/protocol.md`, applied to one height until none applies.
//!
//! Inputs only record facts (`handle`); what follows from the facts and the time is here. Nothing
//! is sent, signed or decided anywhere else.

mod fetch;
mod invariants;
mod propose;
mod prune;
mod retransmit;
mod round;
mod settle;
mod vote;

use federation_chain::UnixTime;

use crate::{
    Config,
    outbox::Outbox,
    state::{Height, Step},
    timing::BodyTiming,
    vote_keeper::{RoundEntry, VoteKeeper},
};

/// One height, with everything else that the rules need.
pub(crate) struct Rules<'a> {
    pub(crate) config: &'a Config,
    pub(crate) observing: bool,
    pub(crate) now: UnixTime,
    pub(crate) height: &'a mut Height,
    pub(crate) timing: &'a mut BodyTiming,
    pub(crate) out: &'a mut Outbox,
}

impl Rules<'_> {
    /// Applies rules until none applies.
    pub(crate) fn run(&mut self) {
        while self.apply() {}
        self.fetch_missing_body();
        self.retransmit_if_due();
        self.prune();
        if cfg!(debug_assertions) {
            self.check_invariants();
        }
    }

    const fn quorum(&self) -> usize {
        self.config.quorum()
    }

    fn keeper(&self) -> &VoteKeeper {
        &self.height.keeper
    }

    fn current(&self) -> Option<&RoundEntry> {
        self.keeper().round(self.height.round)
    }

    fn is_leader(&self) -> bool {
        self.config.leader(self.height.number(), self.height.round) == self.config.me()
    }

    /// Applies one rule; returns false if none applies.
    fn apply(&mut self) -> bool {
        if self.submit() {
            return true; // R18
        }
        if self.height.step == Step::Decided {
            return self.sign(); // R17
        }
        if self.keeper().decision.is_some() {
            return self.decide(); // R16
        }
        if let Step::Waiting { start } = self.height.step {
            return start <= self.now && self.begin(); // R2
        }
        if self.follow_round_certificate() || self.next_round() {
            return true; // R14; R12, R13
        }
        match self.height.step {
            Step::Propose { until } => {
                self.precommit_block() // R9
                    || self.propose() // R4
                    || self.prevote() // R5, R6, R7
                    || (until <= self.now && self.prevote_late()) // R8
            }
            Step::Prevote { until } => {
                self.precommit_block() // R9
                    || self.precommit_nil(until) // R10, R11
            }
            Step::Precommit => {
                self.remember_proofs(self.height.round);
                false
            }
            Step::Waiting { .. } | Step::Decided => false,
        }
    }
}
