//! Why a wire does not work.

/// Why a wire does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// An entry of the list of operators that is no address.
    #[error("`{0}` in the list of nodes is no host:port")]
    Endpoint(String),
    /// The own place is not in the list of operators.
    #[error("there is no operator {me} among {operators}")]
    Place {
        /// The own place.
        me: usize,
        /// How many operators there are.
        operators: usize,
    },
    /// The own port cannot be had.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The library of the broker's protocol refused.
    #[error("kafka at {brokers}: {reason}")]
    Kafka {
        /// The brokers.
        brokers: String,
        /// What the library said.
        reason: String,
    },
    /// The wire was closed.
    #[error("the wire is closed")]
    Closed,
}
