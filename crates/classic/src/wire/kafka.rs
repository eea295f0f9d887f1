//! The old program's Kafka topics: `new-block` for proposals, `new-sig<i>` for operator i's
//! signatures. A value is the JSON.
//!
//! Only new messages are read. The old program reads each topic from its beginning, so that an
//! abandoned proposal of the same height takes precedence over the new one.
//!
//! The brokers' answers are parsed in a separate process, as in the messenger of `agreed`.

use std::{ffi::OsString, path::PathBuf};

use async_trait::async_trait;
use federation_messenger::MessengerError;
use federation_messenger_kafka::{KafkaError, TopicsConfig, TopicsProcess};

use super::{Arrival, Wire, WireError};
use crate::{MAX_MESSAGE, MAX_OPERATORS, Message};

/// The topic of proposals.
const TOPIC_BLOCK: &str = "new-block";
/// The prefix of the topics of signatures; the operator's index follows.
const TOPIC_SIGNATURE: &str = "new-sig";

/// The numbers of the topics to write.
const BLOCK: usize = 0;
const SIGNATURE: usize = 1;

/// The longest message with signatures, of a block and of 100 reissuances, with ample room.
const MAX_SIGNATURES: usize = 1024 * 1024;

/// The brokers and the operators.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    brokers: String,
    operators: usize,
    me: usize,
    properties: Vec<(String, String)>,
}

impl KafkaConfig {
    /// Creates a configuration with a comma-separated list of brokers (`kafka:9092` in the old program),
    /// the number of operators, and this operator's index.
    ///
    /// # Errors
    /// [`WireError::Index`] if the index is out of range.
    pub fn new(brokers: impl Into<String>, operators: usize, me: usize) -> Result<Self, WireError> {
        if me >= operators || operators > MAX_OPERATORS {
            return Err(WireError::Index { me, operators });
        }
        Ok(Self {
            brokers: brokers.into(),
            operators,
            me,
            properties: Vec::new(),
        })
    }

    /// Sets a librdkafka property such as `security.protocol`.
    #[must_use]
    pub fn with_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Returns the operators whose signature topics are read, after the topic of proposals.
    fn others(&self) -> Vec<usize> {
        (0..self.operators)
            .filter(|index| *index != self.me)
            .collect()
    }

    fn client(&self) -> TopicsConfig {
        let name = format!("federation-classic-{}", self.me);
        let client = TopicsConfig::new(&self.brokers, name, MAX_MESSAGE)
            .with_written(TOPIC_BLOCK)
            .with_written(format!("{TOPIC_SIGNATURE}{}", self.me))
            .with_read(TOPIC_BLOCK, MAX_MESSAGE);
        let client = self.others().iter().fold(client, |client, index| {
            client.with_read(format!("{TOPIC_SIGNATURE}{index}"), MAX_SIGNATURES)
        });
        self.properties
            .iter()
            .fold(client, |client, (name, value)| {
                client.with_setting(name, value)
            })
    }
}

/// The topics of the old operators, through a client in a separate process.
#[derive(Debug)]
pub struct KafkaWire {
    others: Vec<usize>,
    topics: TopicsProcess,
}

impl KafkaWire {
    /// Starts the client's program, which must call
    /// [`run_client`](federation_messenger_kafka::run_client) at once, with these arguments. The
    /// brokers need not be reachable yet.
    ///
    /// # Errors
    /// If the program does not run or does not behave like a client, or librdkafka refuses the
    /// configuration.
    ///
    /// # Panics
    /// If called outside a tokio runtime with time and I/O enabled.
    pub async fn start(
        config: KafkaConfig,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, WireError> {
        let topics = TopicsProcess::start(config.client(), program, arguments).await;
        Ok(Self {
            others: config.others(),
            topics: topics.map_err(|error| WireError::Kafka {
                reason: reason(&error),
                brokers: config.brokers,
            })?,
        })
    }

    /// Returns how often the client was restarted because its process ended.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.topics.restarts()
    }

    /// Returns the id of the client's process, if one is running.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.topics.process_id()
    }

    /// Parses a record, if it is a message of its topic's kind.
    fn arrival(&self, topic: usize, value: &[u8]) -> Option<Arrival> {
        let from = match topic.checked_sub(1) {
            None => None,
            Some(index) => Some(*self.others.get(index)?),
        };
        let message = match Message::from_json(value) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(topic, %error, "message dropped");
                return None;
            }
        };
        // A topic has one kind of message.
        let fits = matches!(message, Message::Signatures { .. }) == from.is_some();
        fits.then_some(Arrival { from, message })
    }
}

/// Describes an error with its cause.
fn reason(error: &KafkaError) -> String {
    match core::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[async_trait]
impl Wire for KafkaWire {
    async fn publish(&self, message: &Message) -> Result<(), WireError> {
        let topic = match message {
            Message::Proposal { .. } => BLOCK,
            Message::Signatures { .. } => SIGNATURE,
        };
        match self.topics.write(topic, &message.to_json()) {
            Ok(()) => Ok(()),
            Err(MessengerError::TooLarge { len, .. }) => {
                // The other operators would not accept it either.
                tracing::warn!(bytes = len, "message too long, not sent");
                Ok(())
            }
            Err(_) => Err(WireError::Closed),
        }
    }

    async fn recv(&self) -> Result<Arrival, WireError> {
        loop {
            let (topic, value) = self.topics.read().await.map_err(|_| WireError::Closed)?;
            if let Some(arrival) = self.arrival(topic, &value) {
                return Ok(arrival);
            }
        }
    }

    async fn close(&self) {
        self.topics.close().await;
    }
}
