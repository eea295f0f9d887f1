//! The old program's Kafka topics: `new-block` for proposals, `new-sig<i>` for operator i's
//! signatures. A value is the JSON.
//!
//! Only what comes from now on is read. The old program reads each topic from its beginning, where
//! an abandoned proposal of the same height wins over the new one.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    message::Message as _,
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Arrival, Wire, WireError};
use crate::{MAX_MESSAGE, MAX_OPERATORS, Message};

/// The topic of proposals.
const TOPIC_BLOCK: &str = "new-block";
/// The topics of signatures begin with this; the operator's place follows.
const TOPIC_SIGNATURE: &str = "new-sig";

/// How many messages wait for the machine; each may have megabytes.
const INBOX: usize = 8;
/// How long one look at the consumer takes at most, and with it the end of the thread.
const POLL: Duration = Duration::from_millis(100);
/// The pause while the machine is busy.
const FULL: Duration = Duration::from_millis(10);
/// How often topics and partitions are looked for: until all are there, and then.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(60);
/// How long the brokers may take to tell of a topic.
const METADATA: Duration = Duration::from_secs(5);
/// A message that could not be handed to a broker for so long is of no use any more.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);

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

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("federation-classic-{}", self.me))
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Warning);
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        client
    }

    /// The topics that are read, with whose they are.
    fn topics(&self) -> Vec<(String, Option<usize>)> {
        let others = (0..self.operators).filter(|place| *place != self.me);
        [(TOPIC_BLOCK.to_owned(), None)]
            .into_iter()
            .chain(others.map(|place| (format!("{TOPIC_SIGNATURE}{place}"), Some(place))))
            .collect()
    }
}

/// Says once that the brokers are away, and once that they are back.
#[derive(Debug, Clone, Default)]
struct Health {
    down: Arc<AtomicBool>,
}

impl Health {
    fn failed(&self, error: &dyn core::fmt::Display) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "kafka does not answer");
        }
    }

    fn works(&self) {
        if self.down.swap(false, Ordering::Relaxed) {
            tracing::info!("kafka answers again");
        }
    }
}

impl ClientContext for Health {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.failed(&format_args!("{error}: {reason}"));
    }
}

impl ConsumerContext for Health {}

impl ProducerContext for Health {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.works(),
            Err((error, _)) => self.failed(error),
        }
    }
}

/// A producer, and a consumer on a thread of its own.
pub struct KafkaWire {
    config: KafkaConfig,
    producer: ThreadedProducer<Health>,
    inbox: Mutex<mpsc::Receiver<Arrival>>,
    stop: CancellationToken,
}

impl core::fmt::Debug for KafkaWire {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KafkaWire")
            .field("brokers", &self.config.brokers)
            .finish_non_exhaustive()
    }
}

impl KafkaWire {
    /// Begins to look for the brokers. They need not be there yet.
    ///
    /// # Errors
    /// If librdkafka refuses the configuration.
    pub fn connect(config: KafkaConfig) -> Result<Self, WireError> {
        let failed = |error: &dyn core::fmt::Display| WireError::Kafka {
            brokers: config.brokers.clone(),
            reason: error.to_string(),
        };
        let health = Health::default();
        let most = MAX_MESSAGE.to_string();
        let producer: ThreadedProducer<Health> = config
            .client()
            .set("message.max.bytes", &most)
            .set("queue.buffering.max.messages", "16")
            .set("linger.ms", "0")
            .set(
                "message.timeout.ms",
                MESSAGE_TIMEOUT.as_millis().to_string(),
            )
            .create_with_context(health.clone())
            .map_err(|error| failed(&error))?;
        let consumer: BaseConsumer<Health> = config
            .client()
            // It commits nothing and joins no group: the library wants a name all the same.
            .set("group.id", format!("federation-classic-{}", config.me))
            .set("enable.auto.commit", "false")
            .set("allow.auto.create.topics", "true")
            .set("auto.offset.reset", "latest")
            .set("fetch.message.max.bytes", &most)
            .set("queued.max.messages.kbytes", "65536")
            .create_with_context(health.clone())
            .map_err(|error| failed(&error))?;
        let (arrivals, inbox) = mpsc::channel(INBOX);
        let stop = CancellationToken::new();
        let reader = Reader {
            consumer,
            health,
            topics: config.topics(),
            assigned: BTreeSet::new(),
            arrivals,
            stop: stop.clone(),
        };
        std::thread::Builder::new()
            .name("classic-kafka".to_owned())
            .spawn(move || reader.run())
            .map_err(|error| failed(&error))?;
        Ok(Self {
            config,
            producer,
            inbox: Mutex::new(inbox),
            stop,
        })
    }
}

impl Drop for KafkaWire {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Wire for KafkaWire {
    async fn publish(&self, message: &Message) -> Result<(), WireError> {
        if self.stop.is_cancelled() {
            return Err(WireError::Closed);
        }
        let topic = match message {
            Message::Proposal { .. } => TOPIC_BLOCK.to_owned(),
            Message::Signatures { .. } => format!("{TOPIC_SIGNATURE}{}", self.config.me),
        };
        let json = message.to_json();
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(&topic).payload(&json);
        if let Err((error, _)) = self.producer.send(record) {
            // A full queue: the brokers have been away for turns. The message would be stale.
            self.producer.context().failed(&error);
        }
        Ok(())
    }

    async fn recv(&self) -> Result<Arrival, WireError> {
        let arrival = async { self.inbox.lock().await.recv().await };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(WireError::Closed),
            arrival = arrival => arrival.ok_or(WireError::Closed),
        }
    }

    async fn close(&self) {
        self.stop.cancel();
        // The thread ends at its next look at the consumer.
    }
}

/// What runs on the thread.
struct Reader {
    consumer: BaseConsumer<Health>,
    health: Health,
    topics: Vec<(String, Option<usize>)>,
    assigned: BTreeSet<(String, i32)>,
    arrivals: mpsc::Sender<Arrival>,
    stop: CancellationToken,
}

impl Reader {
    fn run(mut self) {
        let mut next_look = Instant::now();
        while !self.stop.is_cancelled() {
            if Instant::now() >= next_look {
                let all = self.assign();
                next_look = Instant::now() + if all { LOOK } else { LOOK_FIRST };
            }
            let arrival = match self.consumer.poll(POLL) {
                None => continue,
                Some(Err(error)) => {
                    self.health.failed(&error);
                    continue;
                }
                Some(Ok(message)) => {
                    self.health.works();
                    self.arrival(message.topic(), message.payload().unwrap_or_default())
                }
            };
            if let Some(arrival) = arrival
                && !self.hand_over(arrival)
            {
                return;
            }
        }
    }

    /// Waits for a place in the queue; false if nobody listens any more.
    fn hand_over(&self, mut arrival: Arrival) -> bool {
        while !self.stop.is_cancelled() {
            match self.arrivals.try_send(arrival) {
                Ok(()) => return true,
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
                Err(mpsc::error::TrySendError::Full(back)) => arrival = back,
            }
            std::thread::sleep(FULL);
        }
        false
    }

    /// Reads the new partitions from their ends on; whether all topics are there.
    fn assign(&mut self) -> bool {
        let mut found = BTreeSet::new();
        let mut all = true;
        for (topic, _) in &self.topics {
            match self.consumer.fetch_metadata(Some(topic), METADATA) {
                Ok(metadata) => {
                    self.health.works();
                    let of_topic = metadata.topics().iter().filter(|one| one.name() == topic);
                    let partitions: Vec<_> = of_topic
                        .flat_map(|one| one.partitions())
                        .map(|partition| (topic.clone(), partition.id()))
                        .collect();
                    all &= !partitions.is_empty();
                    found.extend(partitions);
                }
                Err(error) => {
                    self.health.failed(&error);
                    return false;
                }
            }
        }
        if !found.is_subset(&self.assigned)
            && let Err(error) = self.read_from_end(&found)
        {
            self.health.failed(&error);
            return false;
        }
        all
    }

    fn read_from_end(&mut self, partitions: &BTreeSet<(String, i32)>) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            list.add_partition_offset(topic, *partition, Offset::End)?;
        }
        self.consumer.assign(&list)?;
        self.assigned.clone_from(partitions);
        tracing::debug!(partitions = partitions.len(), "reading kafka");
        Ok(())
    }

    fn arrival(&self, topic: &str, value: &[u8]) -> Option<Arrival> {
        let (_, from) = self.topics.iter().find(|(name, _)| name == topic)?;
        let message = match Message::from_json(value) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(topic, %error, "a message was dropped");
                return None;
            }
        };
        // A topic has one kind of message.
        let fits = matches!(message, Message::Signatures { .. }) == from.is_some();
        fits.then_some(Arrival {
            from: *from,
            message,
        })
    }
}
