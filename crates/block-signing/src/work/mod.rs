//! The rules of `docs/protocol.md`, applied to one height until none applies any more.
//!
//! Inputs only note facts (`handle`); what follows from the facts and the time is here. Nothing
//! is sent, signed or decided anywhere else.

mod propose;
mod repeat;
mod round;
mod search;
mod settle;
mod tidy;
mod vote;

use federation_chain::UnixTime;

use crate::{
    Config,
    ballots::{Ballots, RoundBallots},
    outbox::Outbox,
    pace::Pace,
    state::{Height, Step},
};

/// One height, with what the rules need besides.
pub(crate) struct Work<'a> {
    pub(crate) config: &'a Config,
    pub(crate) observing: bool,
    pub(crate) now: UnixTime,
    pub(crate) height: &'a mut Height,
    pub(crate) pace: &'a mut Pace,
    pub(crate) out: &'a mut Outbox,
}

impl Work<'_> {
    /// Applies rules until none applies.
    pub(crate) fn run(&mut self) {
        while self.apply() {}
        self.search_body();
        self.beat();
        self.tidy();
    }

    const fn quorum(&self) -> usize {
        self.config.quorum()
    }

    fn ballots(&self) -> &Ballots {
        &self.height.ballots
    }

    fn current(&self) -> Option<&RoundBallots> {
        self.ballots().round(self.height.round)
    }

    fn leads(&self) -> bool {
        self.config.leader(self.height.number(), self.height.round) == self.config.me()
    }

    /// Applies one rule; false if none applies.
    fn apply(&mut self) -> bool {
        if self.submit() {
            return true; // R18
        }
        if self.height.step == Step::Decided {
            return self.sign(); // R17
        }
        if self.ballots().decision.is_some() {
            return self.decide(); // R16
        }
        if let Step::Waiting { start } = self.height.step {
            return start <= self.now && self.begin(); // R2
        }
        if self.follow() || self.next_round() {
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
