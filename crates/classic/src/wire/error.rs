//! The errors of a wire.

/// Why a wire failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// An entry of the list of operators is not an address.
    #[error("`{0}` in the list of nodes must be host:port")]
    Endpoint(String),
    /// The operator's index is not in the list of operators.
    #[error("operator {me} is not in a list of {operators} operators, which start at 0")]
    Index {
        /// The operator's index.
        me: usize,
        /// The number of operators.
        operators: usize,
    },
    /// The port is not available.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// The system's error.
        reason: String,
    },
    /// librdkafka refused, or its process could not be started.
    #[error("cannot use Kafka at {brokers}: {reason}")]
    Kafka {
        /// The brokers.
        brokers: String,
        /// The reason.
        reason: String,
    },
    /// The wire was closed.
    #[error("the wire is closed")]
    Closed,
}
