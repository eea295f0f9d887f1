//! What must hold after every step.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHash, BlockHeight};
use federation_roster::OperatorId;

use super::scenario::Scenario;

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
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
        /// Who.
        operator: OperatorId,
        /// The height.
        height: BlockHeight,
    },
    /// Honest operators decided, signed or accepted different blocks.
    #[error("honest operators settled on different blocks at height {height}: {what}")]
    Disagreement {
        /// The height.
        height: BlockHeight,
        /// By what it showed.
        what: &'static str,
    },
    /// An honest operator asked for a signature before it knew of a decision.
    #[error("operator {operator} signs at height {height} what it has not decided")]
    SignedUndecided {
        /// Who.
        operator: OperatorId,
        /// The height.
        height: BlockHeight,
    },
    /// Evidence was put out against an operator that does not lie.
    #[error("operator {operator} is accused and honest")]
    HonestAccused {
        /// Who.
        operator: OperatorId,
    },
    /// A machine raised an alarm that cannot be true.
    #[error("operator {operator} raised a false alarm: {alarm}")]
    FalseAlarm {
        /// Who.
        operator: OperatorId,
        /// What it said.
        alarm: String,
    },
    /// A height leaves more and more in a store.
    #[error("operator {operator} has {records} records of height {height}")]
    StoreGrows {
        /// Who.
        operator: OperatorId,
        /// The height.
        height: BlockHeight,
        /// How many records of it there are.
        records: usize,
    },
    /// One operator made another send it more bodies of one height than it may ask for.
    #[error("operator {operator} sent {bodies} bodies of height {height} to operator {asker}")]
    Amplified {
        /// Who sent them.
        operator: OperatorId,
        /// Who asked for them.
        asker: OperatorId,
        /// The height.
        height: BlockHeight,
        /// How many there were.
        bodies: u64,
    },
    /// A machine wants to be woken at once after it has been woken.
    #[error("operator {operator} waits for a time that has passed")]
    Spins {
        /// Who.
        operator: OperatorId,
    },
    /// The calm was long enough, and the blocks did not come.
    #[error("no progress: operators are at heights {heights:?} and rounds {rounds:?}")]
    Stuck {
        /// The heights of the honest operators' nodes.
        heights: Vec<u32>,
        /// The rounds that their machines are in.
        rounds: Vec<u32>,
    },
    /// A height begun in the calm took too many rounds.
    #[error("height {height} took {rounds} rounds in the calm")]
    TooManyRounds {
        /// The height.
        height: BlockHeight,
        /// The rounds it took.
        rounds: u32,
    },
}

/// A breach, and how to see it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed that replays it.
    pub seed: u64,
    /// Milliseconds of virtual time since the start.
    pub at: u64,
    /// What did not hold.
    pub breach: Breach,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, breach } = self;
        write!(
            f,
            "{breach} (after {at} ms; replay: cargo run --release -p federation-block-signing \
             --example simulate -- --seed {seed} --trace)"
        )
    }
}

impl core::error::Error for Failure {}

/// What honest operators did, to compare.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    threshold: usize,
    liars: usize,
    only_forks: bool,
    /// Who signed which block, per height; honest operators only.
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

    /// An honest operator's block signature is about to leave it.
    pub(crate) fn signed(
        &mut self,
        operator: OperatorId,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Result<(), Breach> {
        let blocks = self.signers.entry(height).or_default();
        blocks.entry(hash).or_default().insert(operator);
        let elsewhere = blocks
            .iter()
            .any(|(other, signers)| *other != hash && signers.contains(&operator));
        if elsewhere {
            return Err(Breach::SignedTwice { operator, height });
        }
        let mut enough = blocks
            .iter()
            .filter(|(_, signers)| signers.len() + self.liars >= self.threshold)
            .map(|(hash, _)| *hash);
        if let (Some(first), Some(second)) = (enough.next(), enough.next()) {
            return Err(Breach::Fork {
                height,
                first,
                second,
            });
        }
        self.settle(height, hash, "a signature")
    }

    /// An honest operator's node has a block with M signatures.
    pub(crate) fn accepted(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), Breach> {
        self.settle(height, hash, "a node's block")
    }

    /// An honest operator decided.
    pub(crate) fn decided(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), Breach> {
        self.settle(height, hash, "a decision")
    }

    fn settle(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
        what: &'static str,
    ) -> Result<(), Breach> {
        let settled = *self.settled.entry(height).or_insert(hash);
        if settled != hash && !self.only_forks {
            return Err(Breach::Disagreement { height, what });
        }
        Ok(())
    }
}
