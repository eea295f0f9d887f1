//! The properties that must hold after every step.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHash, BlockHeight};
use federation_roster::OperatorId;

use super::scenario::Scenario;

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Two blocks of one height can both have M signatures.
    #[error("fork at height {height}: {first} and {second} both have enough signatures")]
    Fork {
        /// The height.
        height: BlockHeight,
        /// One block.
        first: BlockHash,
        /// The other.
        second: BlockHash,
    },
    /// An honest operator signed two blocks of one height.
    #[error("operator {operator} signed two blocks at height {height}")]
    SignedTwice {
        /// The operator.
        operator: OperatorId,
        /// The height.
        height: BlockHeight,
    },
    /// Honest operators decided, signed or accepted different blocks.
    #[error("honest operators settled on different blocks at height {height}, shown by {what}")]
    Disagreement {
        /// The height.
        height: BlockHeight,
        /// What revealed it.
        what: &'static str,
    },
    /// An honest operator asked for a signature before it knew of a decision.
    #[error("operator {operator} signed an undecided block at height {height}")]
    SignedUndecided {
        /// The operator.
        operator: OperatorId,
        /// The height.
        height: BlockHeight,
    },
    /// Evidence was reported against an honest operator.
    #[error("honest operator {operator} was accused")]
    HonestAccused {
        /// The operator.
        operator: OperatorId,
    },
    /// A machine raised an alarm that cannot be true.
    #[error("operator {operator} raised a false alarm: {alarm}")]
    FalseAlarm {
        /// The operator.
        operator: OperatorId,
        /// The alarm.
        alarm: String,
    },
    /// A height leaves an unbounded number of records in a store.
    #[error("operator {operator} stores {records} records of height {height}")]
    StoreGrows {
        /// The operator.
        operator: OperatorId,
        /// The height.
        height: BlockHeight,
        /// The number of its records.
        records: usize,
    },
    /// One operator made another send it more bodies of one height than it may request.
    #[error("operator {operator} sent {bodies} bodies of height {height} to operator {requester}")]
    Amplified {
        /// The operator that sent them.
        operator: OperatorId,
        /// The operator that requested them.
        requester: OperatorId,
        /// The height.
        height: BlockHeight,
        /// The number of bodies.
        bodies: u64,
    },
    /// A machine asks to be woken at once right after it was woken.
    #[error("operator {operator} has a timeout in the past")]
    Spins {
        /// The operator.
        operator: OperatorId,
    },
    /// No blocks were made although the quiescent phase was long enough.
    #[error("no progress: operators are at heights {heights:?} and rounds {rounds:?}")]
    Stuck {
        /// The heights of the honest operators' nodes.
        heights: Vec<u32>,
        /// The rounds that their machines are in.
        rounds: Vec<u32>,
    },
    /// A height begun in the quiescent phase took too many rounds.
    #[error("height {height} took {rounds} rounds in the quiescent phase")]
    TooManyRounds {
        /// The height.
        height: BlockHeight,
        /// The rounds it took.
        rounds: u32,
    },
}

/// A violation, and how to reproduce it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed that reproduces it.
    pub seed: u64,
    /// Milliseconds of virtual time since the start.
    pub at: u64,
    /// What did not hold.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            at,
            violation,
        } = self;
        write!(
            f,
            "{violation} (after {at} ms; to reproduce: cargo run --release -p federation-block-signing \
             --example simulate -- --seed {seed} --trace)"
        )
    }
}

impl core::error::Error for Failure {}

/// What honest operators did, for comparison.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    threshold: usize,
    liars: usize,
    only_forks: bool,
    /// The signers of each block, per height; honest operators only.
    signers: BTreeMap<BlockHeight, BTreeMap<BlockHash, BTreeSet<OperatorId>>>,
    settled: BTreeMap<BlockHeight, BlockHash>,
}

impl Checker {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            threshold: scenario.threshold,
            liars: scenario.liars,
            only_forks: scenario.only_forks,
            ..Self::default()
        }
    }

    /// Checks a block signature that is about to leave an honest operator.
    pub(crate) fn signed(
        &mut self,
        operator: OperatorId,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Result<(), Violation> {
        let blocks = self.signers.entry(height).or_default();
        blocks.entry(hash).or_default().insert(operator);
        let elsewhere = blocks
            .iter()
            .any(|(other, signers)| *other != hash && signers.contains(&operator));
        if elsewhere {
            return Err(Violation::SignedTwice { operator, height });
        }
        let mut enough = blocks
            .iter()
            .filter(|(_, signers)| signers.len() + self.liars >= self.threshold)
            .map(|(hash, _)| *hash);
        if let (Some(first), Some(second)) = (enough.next(), enough.next()) {
            return Err(Violation::Fork {
                height,
                first,
                second,
            });
        }
        self.settle(height, hash, "a signature")
    }

    /// Checks a block with M signatures that an honest operator's node accepted.
    pub(crate) fn accepted(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Result<(), Violation> {
        self.settle(height, hash, "a node's block")
    }

    /// Checks a decision of an honest operator.
    pub(crate) fn decided(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Result<(), Violation> {
        self.settle(height, hash, "a decision")
    }

    fn settle(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
        what: &'static str,
    ) -> Result<(), Violation> {
        let settled = *self.settled.entry(height).or_insert(hash);
        if settled != hash && !self.only_forks {
            return Err(Violation::Disagreement { height, what });
        }
        Ok(())
    }
}
