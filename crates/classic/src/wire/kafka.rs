//! The old program's Kafka topics: `new-block` for proposals, `new-sig<i>` for operator i's
//! signatures. A value is the JSON.
//!
//! Only what comes from now on is read. The old program reads each topic from its beginning, where
//! an abandoned proposal of the same height wins over the new one.
//!
//! What brokers answer is read in a process of its own, as by the messenger of `agreed`.

use std::{ffi::OsString, path::PathBuf};

use async_trait::async_trait;
use federation_messenger::MessengerError;
use federation_messenger_kafka::{KafkaError, TopicsConfig, TopicsProcess};

use super::{Arrival, Wire, WireError};
use crate::{MAX_MESSAGE, MAX_OPERATORS, Message};

/// The topic of proposals.
const TOPIC_BLOCK: &str = "new-block";
/// The topics of signatures begin with this; the operator's place follows.
const TOPIC_SIGNATURE: &str = "new-sig";

/// The place of the topics among those that are written.
const BLOCK: usize = 0;
const SIGNATURE: usize = 1;

/// The longest message with signatures: of a block and of 100 reissuances, with ample room.
const MAX_SIGNATURES: usize = 1024 * 1024;

/// Which brokers, and who the operators are.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    brokers: String,
    operators: usize,
    me: usize,
    properties: Vec<(String, String)>,
}

impl KafkaConfig {
    /// The brokers, `host:port` with commas between (`kafka:9092` in the old program), how many
    /// operators there are, and the own place among them.
    ///
    /// # Errors
    /// If the place is none of theirs.
    pub fn new(brokers: impl Into<String>, operators: usize, me: usize) -> Result<Self, WireError> {
        if me >= operators || operators > MAX_OPERATORS {
            return Err(WireError::Place { me, operators });
        }
        Ok(Self {
            brokers: brokers.into(),
            operators,
            me,
            properties: Vec::new(),
        })
    }

    /// Sets a property of librdkafka by its name, such as `security.protocol`.
    #[must_use]
    pub fn with_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Whose signatures are in the topics that are read after that of proposals.
    fn others(&self) -> Vec<usize> {
        (0..self.operators)
            .filter(|place| *place != self.me)
            .collect()
    }

    fn client(&self) -> TopicsConfig {
        let name = format!("federation-classic-{}", self.me);
        let client = TopicsConfig::new(&self.brokers, name, MAX_MESSAGE)
            .with_written(TOPIC_BLOCK)
            .with_written(format!("{TOPIC_SIGNATURE}{}", self.me))
            .with_read(TOPIC_BLOCK, MAX_MESSAGE);
        let client = self.others().iter().fold(client, |client, place| {
            client.with_read(format!("{TOPIC_SIGNATURE}{place}"), MAX_SIGNATURES)
        });
        self.properties
            .iter()
            .fold(client, |client, (name, value)| {
                client.with_setting(name, value)
            })
    }
}

/// The topics of the old operators, by way of a client in a process of its own.
#[derive(Debug)]
pub struct KafkaWire {
    others: Vec<usize>,
    topics: TopicsProcess,
}

impl KafkaWire {
    /// Starts the client's program with these arguments, which has to call
    /// [`run_client`](federation_messenger_kafka::run_client) at once, and begins to look for the
    /// brokers. They need not be there yet.
    ///
    /// # Errors
    /// If the program does not run or is another, or librdkafka refuses the configuration.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
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

    /// How often the client was started again because its process had ended.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.topics.restarts()
    }

    /// The id of the process that the client runs in; none while there is none.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.topics.process_id()
    }

    /// What a record says, if it is a message of the kind that its topic has.
    fn arrival(&self, topic: usize, value: &[u8]) -> Option<Arrival> {
        let from = match topic.checked_sub(1) {
            None => None,
            Some(place) => Some(*self.others.get(place)?),
        };
        let message = match Message::from_json(value) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(topic, %error, "a message was dropped");
                return None;
            }
        };
        // A topic has one kind of message.
        let fits = matches!(message, Message::Signatures { .. }) == from.is_some();
        fits.then_some(Arrival { from, message })
    }
}

/// An error with its cause.
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
                // No other operator would take it either.
                tracing::warn!(bytes = len, "a message is too long for the others");
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
