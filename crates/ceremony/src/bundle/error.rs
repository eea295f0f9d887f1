//! The error for a bundle that cannot be made.

use super::Finding;

/// The error for a bundle that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// No operator has this name.
    #[error("this chain has no operator `{name}`: choose one of {}", known.join(", "))]
    NoOperator {
        /// The name.
        name: String,
        /// The names of the operators.
        known: Vec<String>,
    },
    /// The name is not usable in all of the files.
    #[error(
        "the chain's name `{0}` is not usable for folders and services: use letters, digits, `_`, `.` and `-`, starting with a letter or digit"
    )]
    ChainName(String),
    /// The address of a broker is malformed.
    #[error("malformed broker address `{0}`: expected host:port")]
    Broker(String),
    /// The list of brokers is empty.
    #[error("no brokers: name at least one, or let each operator run its own")]
    NoBrokers,
    /// A file contains something that looks like a secret.
    #[error(transparent)]
    Secret(#[from] Finding),
    /// The zip could not be created.
    #[error("cannot create the zip: {0}")]
    Zip(String),
}
