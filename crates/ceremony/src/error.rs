//! Why no chain can be made of what the parties say.

use federation_chain::RulesError;
use federation_genesis::{ConfError, InvalidConf, Problem, SweepError, Unfit, UnknownNode};
use federation_multisig::{ScriptError, ThresholdError};
use federation_roster::FederationError;

use crate::{KeyUse, MAX_INTERVAL, MIN_INTERVAL};

/// A chain that cannot be made of what the parties say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] UnknownNode),
    /// Wrong settings.
    #[error("the proposal's configuration: {0}")]
    Configuration(#[from] InvalidConf),
    /// A setting that cannot be made.
    #[error(transparent)]
    Setting(#[from] ConfError),
    /// More in the configuration than what makes the chain.
    #[error("the proposal's configuration has more than the chain's settings, or in another order")]
    NotCanonical,
    /// A setting that follows from the keys.
    #[error("`{0}` follows from the parties' keys: leave it out of the configuration")]
    Derived(&'static str),
    /// Keys for which the chain has no use.
    #[error(
        "an elements chain has no setting for reissuance keys: ask for them only where coins or fees go to them"
    )]
    Reissuance,
    /// No keys to sign blocks with, or one use twice.
    #[error("the proposal's keys must be different and ascending, and the first one `block`")]
    Keys,
    /// A name that makes no file name.
    #[error("`{0}` is no name: use 1 to 64 letters, digits, `-` and `_`")]
    Name(String),
    /// Two parties that are one.
    #[error("`{first}` and `{second}` have the same name, identity or key")]
    Same {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Blocks too close together or too far apart.
    #[error(
        "the interval of {0} ms is none that a federation can keep: use {MIN_INTERVAL} to {MAX_INTERVAL} ms"
    )]
    Interval(u64),
    /// No M.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// No M-of-N.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// M is no majority.
    #[error("{m} of {n} is no majority, so two chains could be signed: use at least {}", .n / 2 + 1)]
    NoMajority {
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// No genesis block.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A chain that stops or splits.
    #[error("this chain cannot live: {0}")]
    Problem(Problem),
    /// A chain that changes its form of block on its way.
    #[error(
        "the chain would change to dynafed on its way, which a new federation does not need: set evbparams=dynafed:-1::: or dynafed:-2:::"
    )]
    Signalled,
    /// No rules for the signatures in its blocks.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// No roster.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// No transaction that takes the coins which anyone could take.
    #[error("the proposal's sweep: {0}")]
    Sweep(#[from] SweepError),
    /// A destination that is no hex.
    #[error("where coins and fees go: `{0}` is no output script in hex")]
    SweepScript(String),
    /// Coins or fees for keys that nobody brings.
    #[error("coins or fees go to {} keys, which the proposal does not ask for", .0.as_str())]
    SweepKeys(KeyUse),
    /// Tokens that an Ocean chain has none of.
    #[error(
        "an ocean chain has no reissuance tokens to sweep: set the policies' destinations instead"
    )]
    OceanSweep,
    /// A destination of coins that are not there.
    #[error("a destination is given for initial coins, and initialfreecoins is 0")]
    NoCoins,
    /// Coins that nobody can ever spend, the sweep neither.
    #[error(
        "con_connect_genesis_outputs=0: nobody could ever spend the initial coins, so there would be no block 1 with the sweep; leave it out"
    )]
    Unconnected,
    /// Not everybody's keys are there.
    #[error("`{0}` has not joined")]
    Missing(String),
}
