//! The errors of a Kafka messenger.

use std::sync::Arc;

use federation_roster::OperatorId;
use rdkafka::error::KafkaError as LibraryError;

/// Why a Kafka messenger cannot be configured or started. An unreachable broker is not an error: it
/// is retried, and shows in the log and in the statistics.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// The list of brokers is empty.
    #[error("no brokers: expected one or more host:port")]
    NoBroker,
    /// A broker is not of the form `host:port`.
    #[error("broker `{0}` must be host:port, as in kafka1.example:9092 or [2001:db8::7]:9092")]
    Broker(String),
    /// The federation has fewer operators.
    #[error("operator {me} is not in a federation of {operators} operators, which start at 0")]
    Operator {
        /// The configured operator.
        me: OperatorId,
        /// The number of operators.
        operators: u8,
    },
    /// Kafka does not accept the prefix in a topic name.
    #[error(
        "topic prefix `{0}` must have 1 to 200 characters, all of them letters, digits, `.`, `_` \
         or `-`"
    )]
    Prefix(String),
    /// The messenger's guarantees depend on the setting.
    #[error("setting `{name}` cannot be changed: {reason}")]
    Reserved {
        /// librdkafka's name of the setting.
        name: String,
        /// What depends on it, or what to use instead.
        reason: &'static str,
    },
    /// The setting needs a feature that was not built in.
    #[error(
        "setting `{name}` needs feature `{feature}`: install {package} and build with \
         --features {feature}"
    )]
    NotBuiltIn {
        /// librdkafka's name of the setting.
        name: String,
        /// The feature of this crate.
        feature: &'static str,
        /// The Debian packages that the feature needs.
        package: &'static str,
    },
    /// librdkafka does not know the setting or rejects its value.
    #[error("setting `{name}`: {reason}; see CONFIGURATION.md of librdkafka")]
    Setting {
        /// librdkafka's name of the setting.
        name: String,
        /// librdkafka's reason; never contains a secret.
        reason: String,
    },
    /// The settings conflict, or a file they name cannot be read.
    #[error("cannot create the Kafka client: {0}")]
    Client(String),
    /// The system refused to start a thread.
    #[error("cannot start a thread for Kafka")]
    Thread(#[source] Arc<std::io::Error>),
    /// The client's process could not be started.
    #[error("cannot start the process of the Kafka client")]
    Process(#[source] Arc<std::io::Error>),
    /// The embedded cluster failed.
    #[error("the embedded Kafka cluster failed")]
    Mock(#[source] LibraryError),
}
