//! A client of topics of any names: a producer, and a consumer that reads from their ends on.

use core::time::Duration;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError as LibraryError,
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
};

use crate::{KafkaError, TopicsConfig, settings::translate, turns::Turns};

/// How long one look at the consumer takes at most, and with it the end of the thread.
const POLL: Duration = Duration::from_millis(100);
/// How often topics and partitions are looked for: until all are there, and then.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(60);
/// How long the brokers may take to tell of a topic.
const METADATA: Duration = Duration::from_secs(5);
/// A record that could not be handed to a broker for so long is of no use any more.
const LIFETIME: Duration = Duration::from_secs(20);
/// The name of the thread that reads.
const READER: &str = "kafka-topics";

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

    fn error(&self, error: LibraryError, reason: &str) {
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

/// The producer, and what the thread of the consumer shares with it.
pub(crate) struct TopicsClient {
    written: Vec<String>,
    producer: ThreadedProducer<Health>,
    reader: Option<Reader>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    turns: Arc<Turns>,
}

impl TopicsClient {
    /// Makes the clients. The brokers need not be there yet.
    pub(crate) fn new(config: &TopicsConfig) -> Result<Self, KafkaError> {
        let health = Health::default();
        let largest = config.largest().to_string();
        let producer: ThreadedProducer<Health> = base(config)
            .set("message.max.bytes", &largest)
            .set("queue.buffering.max.messages", "16")
            .set("linger.ms", "0")
            .set("message.timeout.ms", LIFETIME.as_millis().to_string())
            .create_with_context(health.clone())
            .map_err(translate)?;
        let consumer: BaseConsumer<Health> = base(config)
            // It commits nothing and joins no group: the library wants a name all the same.
            .set("group.id", config.client())
            .set("enable.auto.commit", "false")
            .set("allow.auto.create.topics", "true")
            .set("auto.offset.reset", "latest")
            .set("fetch.message.max.bytes", &largest)
            .set("queued.max.messages.kbytes", "65536")
            .create_with_context(health.clone())
            .map_err(translate)?;
        let stop = Arc::new(AtomicBool::new(false));
        let turns = Arc::new(Turns::default());
        let reader = Reader {
            consumer,
            health,
            topics: config.read().to_vec(),
            assigned: BTreeSet::new(),
            stop: Arc::clone(&stop),
            turns: Arc::clone(&turns),
        };
        Ok(Self {
            written: config.written().to_vec(),
            producer,
            reader: Some(reader),
            thread: None,
            stop,
            turns,
        })
    }

    /// Begins to read; hands each record on with its topic's number before it, until told that it is
    /// of no use any more.
    pub(crate) fn read(
        &mut self,
        hand_on: impl Fn(&[u8]) -> bool + Send + 'static,
    ) -> Result<(), KafkaError> {
        let Some(reader) = self.reader.take() else {
            return Ok(());
        };
        let thread = std::thread::Builder::new()
            .name(READER.to_owned())
            .spawn(move || reader.run(hand_on))
            .map_err(|error| KafkaError::Thread(Arc::new(error)))?;
        self.thread = Some(thread);
        Ok(())
    }

    /// What tells whether its thread goes on.
    pub(crate) fn turns(&self) -> Arc<Turns> {
        Arc::clone(&self.turns)
    }

    /// Writes a record with its topic's number before it.
    pub(crate) fn write(&self, record: &[u8]) {
        let Some((topic, payload)) = record
            .split_first()
            .and_then(|(topic, payload)| Some((self.written.get(usize::from(*topic))?, payload)))
        else {
            return;
        };
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).payload(payload);
        if let Err((error, _)) = self.producer.send(record) {
            // A full queue: the brokers have been away for long. The record would be stale.
            self.producer.context().failed(&error);
        }
    }

    /// Ends the reading.
    pub(crate) fn close(self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

fn base(config: &TopicsConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", config.brokers())
        .set("client.id", config.client())
        .set("log.connection.close", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    for (name, value) in config.settings() {
        client.set(name, value);
    }
    client
}

/// What runs on the thread.
struct Reader {
    consumer: BaseConsumer<Health>,
    health: Health,
    topics: Vec<(String, usize)>,
    assigned: BTreeSet<(String, i32)>,
    stop: Arc<AtomicBool>,
    turns: Arc<Turns>,
}

impl Reader {
    fn run(mut self, hand_on: impl Fn(&[u8]) -> bool) {
        let mut next_look = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            self.turns.note(READER);
            if Instant::now() >= next_look {
                let all = self.assign();
                next_look = Instant::now() + if all { LOOK } else { LOOK_FIRST };
            }
            let record = match self.consumer.poll(POLL) {
                None => continue,
                Some(Err(error)) => {
                    self.health.failed(&error);
                    continue;
                }
                Some(Ok(message)) => {
                    self.health.works();
                    self.record(message.topic(), message.payload().unwrap_or_default())
                }
            };
            if let Some(record) = record {
                // The other process may take its time.
                self.turns.done(READER);
                if !hand_on(&record) {
                    break;
                }
            }
        }
        self.turns.done(READER);
    }

    /// Reads the new partitions from their ends on; whether all topics are there.
    fn assign(&mut self) -> bool {
        let mut found = BTreeSet::new();
        let mut all = true;
        for (topic, _) in &self.topics {
            self.turns.note(READER);
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

    fn read_from_end(&mut self, partitions: &BTreeSet<(String, i32)>) -> Result<(), LibraryError> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            list.add_partition_offset(topic, *partition, Offset::End)?;
        }
        self.consumer.assign(&list)?;
        self.assigned.clone_from(partitions);
        tracing::debug!(partitions = partitions.len(), "reading kafka");
        Ok(())
    }

    /// A record with its topic's number before it, unless it is too large.
    fn record(&self, topic: &str, value: &[u8]) -> Option<Vec<u8>> {
        let place = self.topics.iter().position(|(name, _)| name == topic)?;
        let (_, largest) = self.topics.get(place)?;
        if value.len() > *largest {
            tracing::debug!(topic, bytes = value.len(), "a record was too large");
            return None;
        }
        Some([&[u8::try_from(place).ok()?], value].concat())
    }
}
