//! A client for topics of any name: a producer, and a consumer that reads from their ends.

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

use crate::{KafkaError, TopicsConfig, settings::translate, watchdog::Watchdog};

/// How long to wait for a record before checking whether to stop.
const POLL: Duration = Duration::from_millis(100);
/// How often to look for topics and partitions: until all are found, and afterwards.
const SEARCH_MISSING: Duration = Duration::from_secs(1);
const SEARCH: Duration = Duration::from_secs(60);
/// Timeout of a query for a topic's metadata.
const METADATA: Duration = Duration::from_secs(5);
/// How long a record is useful; one not sent to a broker within this time is dropped.
const LIFETIME: Duration = Duration::from_secs(20);
/// The name of the reading thread.
const READER: &str = "kafka-topics";

/// Logs once when the brokers become unreachable, and once when they are back.
#[derive(Debug, Clone, Default)]
struct Health {
    down: Arc<AtomicBool>,
}

impl Health {
    fn failed(&self, error: &dyn core::fmt::Display) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "Kafka unreachable");
        }
    }

    fn succeeded(&self) {
        if self.down.swap(false, Ordering::Relaxed) {
            tracing::info!("Kafka reachable again");
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
            Ok(_) => self.succeeded(),
            Err((error, _)) => self.failed(error),
        }
    }
}

/// The producer, and the consumer's thread.
pub(crate) struct TopicsClient {
    written: Vec<String>,
    producer: ThreadedProducer<Health>,
    reader: Option<Reader>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    watchdog: Arc<Watchdog>,
}

impl TopicsClient {
    /// Creates the clients. The brokers need not be reachable yet.
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
            // Required, although it commits no offsets and joins no group.
            .set("group.id", config.client())
            .set("enable.auto.commit", "false")
            .set("allow.auto.create.topics", "true")
            .set("auto.offset.reset", "latest")
            .set("fetch.message.max.bytes", &largest)
            .set("queued.max.messages.kbytes", "65536")
            .create_with_context(health.clone())
            .map_err(translate)?;
        let stop = Arc::new(AtomicBool::new(false));
        let watchdog = Arc::new(Watchdog::default());
        let reader = Reader {
            consumer,
            health,
            topics: config.read().to_vec(),
            assigned: BTreeSet::new(),
            stop: Arc::clone(&stop),
            watchdog: Arc::clone(&watchdog),
        };
        Ok(Self {
            written: config.written().to_vec(),
            producer,
            reader: Some(reader),
            thread: None,
            stop,
            watchdog,
        })
    }

    /// Starts reading; passes each record, prefixed with its topic's number, to `forward` until that
    /// returns `false`.
    pub(crate) fn read(
        &mut self,
        forward: impl Fn(&[u8]) -> bool + Send + 'static,
    ) -> Result<(), KafkaError> {
        let Some(reader) = self.reader.take() else {
            return Ok(());
        };
        let thread = std::thread::Builder::new()
            .name(READER.to_owned())
            .spawn(move || reader.run(forward))
            .map_err(|error| KafkaError::Thread(Arc::new(error)))?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Returns the watchdog of the reading thread.
    pub(crate) fn watchdog(&self) -> Arc<Watchdog> {
        Arc::clone(&self.watchdog)
    }

    /// Writes a record that is prefixed with its topic's number.
    pub(crate) fn write(&self, record: &[u8]) {
        let Some((topic, payload)) = record
            .split_first()
            .and_then(|(topic, payload)| Some((self.written.get(usize::from(*topic))?, payload)))
        else {
            return;
        };
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).payload(payload);
        if let Err((error, _)) = self.producer.send(record) {
            // The queue is full: the brokers have been unreachable for long, and the record would be
            // stale by the time they are back.
            self.producer.context().failed(&error);
        }
    }

    /// Stops reading.
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

/// The state of the reading thread.
struct Reader {
    consumer: BaseConsumer<Health>,
    health: Health,
    topics: Vec<(String, usize)>,
    assigned: BTreeSet<(String, i32)>,
    stop: Arc<AtomicBool>,
    watchdog: Arc<Watchdog>,
}

impl Reader {
    fn run(mut self, forward: impl Fn(&[u8]) -> bool) {
        let mut next_search = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            self.watchdog.alive(READER);
            if Instant::now() >= next_search {
                let all = self.assign();
                next_search = Instant::now() + if all { SEARCH } else { SEARCH_MISSING };
            }
            let record = match self.consumer.poll(POLL) {
                None => continue,
                Some(Err(error)) => {
                    self.health.failed(&error);
                    continue;
                }
                Some(Ok(message)) => {
                    self.health.succeeded();
                    self.record(message.topic(), message.payload().unwrap_or_default())
                }
            };
            if let Some(record) = record {
                // The other process may take a long time to accept it.
                self.watchdog.done(READER);
                if !forward(&record) {
                    break;
                }
            }
        }
        self.watchdog.done(READER);
    }

    /// Starts reading new partitions from their ends; returns whether all topics exist.
    fn assign(&mut self) -> bool {
        let mut found = BTreeSet::new();
        let mut all = true;
        for (topic, _) in &self.topics {
            self.watchdog.alive(READER);
            match self.consumer.fetch_metadata(Some(topic), METADATA) {
                Ok(metadata) => {
                    self.health.succeeded();
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
        tracing::debug!(partitions = partitions.len(), "reading from Kafka");
        Ok(())
    }

    /// Returns a record prefixed with its topic's number, unless it is too large.
    fn record(&self, topic: &str, value: &[u8]) -> Option<Vec<u8>> {
        let index = self.topics.iter().position(|(name, _)| name == topic)?;
        let (_, largest) = self.topics.get(index)?;
        if value.len() > *largest {
            tracing::debug!(topic, bytes = value.len(), "record dropped: too large");
            return None;
        }
        Some([&[u8::try_from(index).ok()?], value].concat())
    }
}
