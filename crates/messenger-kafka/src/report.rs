//! What a Kafka messenger knows of its brokers, its topics and the other operators.

use core::time::Duration;

use federation_roster::OperatorId;
use serde::{Deserialize, Serialize};

/// The state of a messenger at one moment. What brokers say of themselves is as they say it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KafkaHealth {
    /// Whether the topics were found or made, and those of the others are read.
    pub ready: bool,
    /// The brokers that were given, those that the cluster names, and those that failed.
    pub brokers: Vec<BrokerHealth>,
    /// The topic of each operator, in the order of the roster.
    pub topics: Vec<TopicHealth>,
    /// How many of our frames a broker has confirmed.
    pub confirmed: u64,
    /// What was wrong in the last minute, apart from brokers that cannot be reached.
    pub faults: Vec<Fault>,
    /// How often the client was started again because its process had ended.
    pub restarts: u64,
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BrokerHealth {
    /// `host:port`, as configured or as the cluster advertises it.
    pub address: String,
    /// Whether a client is connected to it. To one that leads none of the topics it need not be.
    pub connected: bool,
    /// Whether the cluster advertises this address. Frames go to such addresses only.
    pub member: bool,
    /// Why it cannot be reached, while it cannot.
    pub fault: Option<String>,
}

/// What a cluster says of a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TopicState {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It is there.
    Present,
    /// It is not there.
    Missing,
    /// This operator may not know of it.
    Forbidden,
}

/// One operator's topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TopicHealth {
    /// Whose it is.
    pub operator: OperatorId,
    /// Its name.
    pub topic: String,
    /// What the cluster says of it.
    pub state: TopicState,
    /// How long ago a frame was last read from it. Never from the own.
    pub heard: Option<Duration>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// What it concerns: a topic, `delivery`, `producer` and the like.
    pub subject: String,
    /// What is wrong.
    pub reason: String,
}

impl KafkaHealth {
    /// Whether a broker is connected that the cluster advertises, so that frames can travel.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        let mut brokers = self.brokers.iter();
        brokers.any(|broker| broker.connected && broker.member)
    }

    /// The operators that were heard within so long.
    pub fn heard(&self, within: Duration) -> impl Iterator<Item = OperatorId> {
        let heard = self.topics.iter();
        heard
            .filter(move |topic| topic.heard.is_some_and(|age| age <= within))
            .map(|topic| topic.operator)
    }
}
