//! Why there is no bundle.

use crate::Finding;

/// Why there is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Nobody of that name has approved the chain.
    #[error("`{name}` is no operator of this chain: choose one of {}", known.join(", "))]
    NoOperator {
        /// Who was asked for.
        name: String,
        /// Who there is.
        known: Vec<String>,
    },
    /// A name that cannot stand in all of the files.
    #[error(
        "the chain's name `{0}` makes no folder and no service: use letters, digits, `_`, `.` and `-`, a letter or digit first"
    )]
    ChainName(String),
    /// Brokers that are none.
    #[error("`{0}` is no broker: write host:port")]
    Broker(String),
    /// No brokers.
    #[error("there are no brokers: name one, or let each operator run its own")]
    NoBrokers,
    /// Something that looks like a secret.
    #[error(transparent)]
    Secret(#[from] Finding),
    /// A zip that cannot be written.
    #[error("the zip cannot be made: {0}")]
    Zip(String),
}
