//! The health report of a Kafka messenger: its brokers, its topics and the other operators.

use core::time::Duration;

use federation_roster::OperatorId;
use serde::{Deserialize, Serialize};

/// The state of a messenger at one moment. Data from brokers is passed on unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KafkaHealth {
    /// Whether the topics exist and those of the other operators are read.
    pub ready: bool,
    /// The configured brokers, those the cluster advertises, and those that failed.
    pub brokers: Vec<BrokerHealth>,
    /// The topic of each operator, in the order of the roster.
    pub topics: Vec<TopicHealth>,
    /// How many of our frames were confirmed by a broker.
    pub confirmed: u64,
    /// The faults of the last minute, other than unreachable brokers.
    pub faults: Vec<Fault>,
    /// How often the client was restarted because its process ended.
    pub restarts: u64,
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BrokerHealth {
    /// `host:port`, as configured or as the cluster advertises it.
    pub address: String,
    /// Whether a client is connected to it. A broker that leads none of the topics needs no connection.
    pub connected: bool,
    /// Whether the cluster advertises this address. Frames are sent only to such addresses.
    pub member: bool,
    /// Why it is unreachable, if it is.
    pub fault: Option<String>,
}

/// The state of a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TopicState {
    /// Not known yet.
    #[default]
    Unknown,
    /// The topic exists.
    Present,
    /// The topic does not exist.
    Missing,
    /// This operator is not allowed to access it.
    Forbidden,
}

/// One operator's topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TopicHealth {
    /// Its operator.
    pub operator: OperatorId,
    /// Its name.
    pub topic: String,
    /// Its state in the cluster.
    pub state: TopicState,
    /// How long ago a frame was last read from it. Always `None` for our own topic.
    pub last_received: Option<Duration>,
}

/// A fault other than an unreachable broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// What is affected: a topic, `delivery`, `producer` and so on.
    pub subject: String,
    /// The cause.
    pub reason: String,
}

impl KafkaHealth {
    /// Whether a broker that the cluster advertises is connected, so that frames can be sent.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        let mut brokers = self.brokers.iter();
        brokers.any(|broker| broker.connected && broker.member)
    }

    /// Returns the operators from which a frame was read within this time.
    pub fn received_within(&self, within: Duration) -> impl Iterator<Item = OperatorId> {
        let topics = self.topics.iter();
        topics
            .filter(move |topic| topic.last_received.is_some_and(|age| age <= within))
            .map(|topic| topic.operator)
    }
}
