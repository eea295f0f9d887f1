//! Why a Kafka messenger cannot be set up.

use std::sync::Arc;

use federation_roster::OperatorId;
use rdkafka::error::KafkaError as LibraryError;

/// What is wrong with a configuration. A broker that cannot be reached is no error: it is waited
/// for, and shows in the log and in the statistics.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// Nowhere to begin.
    #[error("no broker is given: name one or more as host:port")]
    NoBroker,
    /// A broker that is no `host:port`.
    #[error("broker `{0}` is no host:port, as in kafka1.example:9092 or [2001:db8::7]:9092")]
    Broker(String),
    /// The operator is none of the federation's.
    #[error("operator {me} is none of a federation of {operators}")]
    Operator {
        /// Who this messenger was to be.
        me: OperatorId,
        /// How many operators there are.
        operators: u8,
    },
    /// A prefix of which Kafka makes no topic.
    #[error(
        "topic prefix `{0}` is empty, longer than 200 characters, or has others than letters, \
         digits, `.`, `_` and `-`"
    )]
    Prefix(String),
    /// A setting that the messenger's promises rest on.
    #[error("setting `{name}` cannot be changed: {reason}")]
    Kept {
        /// The setting's name at librdkafka.
        name: String,
        /// What rests on it, or what to use in its place.
        reason: &'static str,
    },
    /// A setting of a part that was not built in.
    #[error(
        "setting `{name}` needs a build with feature `{feature}`: install {package} and build \
         with --features {feature}"
    )]
    NotBuiltIn {
        /// The setting's name at librdkafka.
        name: String,
        /// The feature of this crate.
        feature: &'static str,
        /// The packages of Debian that the feature needs.
        package: &'static str,
    },
    /// A setting that librdkafka does not know, or a value that it does not take.
    #[error("setting `{name}`: {reason}; see CONFIGURATION.md of librdkafka")]
    Setting {
        /// The setting's name at librdkafka.
        name: String,
        /// What librdkafka says; never a secret.
        reason: String,
    },
    /// The settings do not go together, or a file that they name cannot be read.
    #[error("the Kafka client cannot be made: {0}")]
    Client(String),
    /// The system gives no thread.
    #[error("cannot start a thread for Kafka")]
    Thread(#[source] Arc<std::io::Error>),
    /// The process that the client runs in cannot be started.
    #[error("the process of the Kafka client cannot be started")]
    Process(#[source] Arc<std::io::Error>),
    /// The embedded cluster failed.
    #[error("the embedded Kafka cluster failed")]
    Mock(#[source] LibraryError),
}
