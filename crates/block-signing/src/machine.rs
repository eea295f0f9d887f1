//! The machine: what the driver holds.

use std::collections::VecDeque;

use federation_chain::{BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

use crate::{Config, Input, Output, Record};

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
#[derive(Debug)]
pub struct Machine {
    config: Config,
    outputs: VecDeque<Output>,
}

impl Machine {
    /// A machine that remembers `records`, in any order: all that the store holds.
    #[must_use]
    pub fn new(config: Config, records: Vec<Record>) -> Self {
        let _ = records;
        Self {
            config,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input. Drain [`poll_output`](Self::poll_output) after it.
    pub fn handle(&mut self, now: UnixTime, input: Input) {
        let _ = (now, input);
    }

    /// The next thing to do; all [`Persist`](Output::Persist) come first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with a [`Tick`](Input::Tick) if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        None
    }

    /// Where the machine is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            height: BlockHeight::GENESIS,
            round: Round::FIRST,
            leader: self.config.leader(BlockHeight::GENESIS, Round::FIRST),
            phase: Phase::NoTip,
            observing: self.config.observe(),
        }
    }

    /// The parameters it runs by.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}
