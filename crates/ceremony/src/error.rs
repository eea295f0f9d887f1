//! Errors for messages that do not result in a chain.

use federation_chain::RulesError;
use federation_genesis::{
    ConfError, InvalidConf, InvalidSettings, SweepError, UnknownNode, UnviableChain,
};
use federation_multisig::{ScriptError, ThresholdError};
use federation_roster::FederationError;

use crate::{KeyUse, MAX_INTERVAL, MIN_INTERVAL};

/// The error for messages that do not result in a chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Unknown kind of node.
    #[error(transparent)]
    Node(#[from] UnknownNode),
    /// Invalid configuration.
    #[error("the proposal's configuration: {0}")]
    Configuration(#[from] InvalidConf),
    /// Invalid setting.
    #[error(transparent)]
    Setting(#[from] ConfError),
    /// The configuration is not in canonical form.
    #[error(
        "the proposal's configuration must contain the chain's settings only, in canonical order"
    )]
    NotCanonical,
    /// The setting follows from the keys.
    #[error("`{0}` follows from the parties' keys: omit it from the configuration")]
    Derived(&'static str),
    /// The chain has no use for the keys.
    #[error(
        "an elements chain has no setting for reissuance keys: require them only if coins or fees go to them"
    )]
    Reissuance,
    /// The uses of keys lack `block`, or are not in order.
    #[error("the proposal's keys must be distinct and ascending, starting with `block`")]
    Keys,
    /// The name is not usable as a file name.
    #[error("invalid name `{0}`: use 1 to 64 letters, digits, `-` and `_`")]
    Name(String),
    /// Two parties share a name, identity or key.
    #[error("`{first}` and `{second}` have the same name, identity or key")]
    Same {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// The block interval is out of range.
    #[error("interval of {0} ms is out of range: use {MIN_INTERVAL} to {MAX_INTERVAL} ms")]
    Interval(u64),
    /// Invalid M.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// Invalid M-of-N script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// M is not a majority.
    #[error("{m} of {n} is not a majority, so two chains could be signed: use at least {}", .n / 2 + 1)]
    NoMajority {
        /// M.
        m: u8,
        /// N.
        n: usize,
    },
    /// No genesis block follows from the settings.
    #[error(transparent)]
    InvalidSettings(#[from] InvalidSettings),
    /// The chain could not work.
    #[error("this chain could not work: {0}")]
    UnviableChain(UnviableChain),
    /// The block format would change while the chain runs.
    #[error(
        "the chain would change to dynafed while it runs, which a new federation does not need: set evbparams=dynafed:-1::: or dynafed:-2:::"
    )]
    Signalled,
    /// No valid signing rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// No valid roster.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// No valid sweep.
    #[error("the proposal's sweep: {0}")]
    Sweep(#[from] SweepError),
    /// The destination is not hex.
    #[error("invalid destination of coins or fees `{0}`: expected an output script in hex")]
    SweepScript(String),
    /// Coins or fees go to keys that nobody brings.
    #[error("coins or fees go to {} keys, which the proposal does not require", .0.as_str())]
    SweepKeys(KeyUse),
    /// An Ocean chain has no reissuance tokens.
    #[error(
        "an ocean chain has no reissuance tokens to sweep: set the policies' destinations instead"
    )]
    OceanSweep,
    /// A destination has no coins.
    #[error("a destination is given for initial coins, but initialfreecoins is 0")]
    NoCoins,
    /// Genesis coins cannot be spent, not even by the sweep.
    #[error(
        "con_connect_genesis_outputs=0: nobody could ever spend the initial coins, so there could be no block 1 with the sweep; omit it"
    )]
    Unconnected,
    /// A party has not joined yet.
    #[error("`{0}` has not joined")]
    Missing(String),
}
