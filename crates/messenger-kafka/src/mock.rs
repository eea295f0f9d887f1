//! An embedded cluster of brokers in this process, for demos and tests, with faults on demand.
//!
//! It is librdkafka's mock cluster: it speaks Kafka's protocol over loopback, keeps a few megabytes of
//! each topic in memory, and loses everything when it is dropped.

use core::{fmt, time::Duration};

use federation_roster::{FederationId, OperatorId};
use rdkafka::{
    ClientConfig, ClientContext, Statistics,
    config::RDKafkaLogLevel,
    error::{KafkaError as LibraryError, RDKafkaErrorCode as Code},
    mocking::MockCluster,
    producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer},
};
use tracing::debug;

use crate::{KafkaConfig, KafkaError, settings};

/// Brokers 1 to n in this process, on loopback ports chosen by the system.
pub struct MockBrokers {
    /// The client that owns the cluster. It sends nothing.
    owner: ThreadedProducer<Quiet>,
    count: u8,
}

/// Logs the owner's callbacks at debug level only.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        debug!(target: "librdkafka", facility, "embedded cluster: {line}");
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: LibraryError, reason: &str) {
        debug!(target: "librdkafka", %error, reason, "embedded cluster");
    }
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl MockBrokers {
    /// Starts `count` brokers.
    ///
    /// # Errors
    /// [`KafkaError::Client`] or [`KafkaError::Mock`] if no ports or threads are available, or the
    /// count is zero.
    pub fn start(count: u8) -> Result<Self, KafkaError> {
        let owner: ThreadedProducer<Quiet> = ClientConfig::new()
            .set("test.mock.num.brokers", count.to_string())
            .set_log_level(RDKafkaLogLevel::Emerg)
            .create_with_context(Quiet)
            .map_err(settings::translate)?;
        let brokers = Self { owner, count };
        brokers.cluster(|_| Ok(()))?;
        Ok(brokers)
    }

    fn cluster<T>(
        &self,
        act: impl FnOnce(MockCluster<'_, Quiet>) -> Result<T, LibraryError>,
    ) -> Result<T, KafkaError> {
        let cluster = self.owner.client().mock_cluster();
        let missing = LibraryError::MockCluster(Code::Fail);
        cluster
            .ok_or(missing)
            .and_then(act)
            .map_err(KafkaError::Mock)
    }

    /// Returns the addresses the brokers listen on.
    ///
    /// # Errors
    /// [`KafkaError::Mock`].
    pub fn brokers(&self) -> Result<Vec<String>, KafkaError> {
        let servers = self.cluster(|cluster| Ok(cluster.bootstrap_servers()))?;
        Ok(servers.split(',').map(str::to_owned).collect())
    }

    /// Returns the number of brokers, including those that are down.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// Returns an operator's configuration for these brokers, adapted to their limitations, and
    /// creates the federation's topics.
    ///
    /// # Errors
    /// The same as [`KafkaConfig::new`], and [`KafkaError::Mock`].
    pub fn config(
        &self,
        federation: FederationId,
        operators: u8,
        me: OperatorId,
    ) -> Result<KafkaConfig, KafkaError> {
        let config = KafkaConfig::new(self.brokers()?, federation, operators, me)?
            .with_replication(self.count.min(3))
            // A real broker answers as soon as there is a message; these always wait this long.
            .with_setting("fetch.wait.max.ms", "10")?
            // They lose a message over 5 MB unless it is the first; most messages compress well.
            .with_setting("compression.type", "lz4")?;
        self.create_topics(&config)?;
        Ok(config)
    }

    /// Creates the topics of a configuration, since these brokers do not do so over the network.
    /// Existing topics are not changed.
    ///
    /// # Errors
    /// [`KafkaError::Mock`].
    pub fn create_topics(&self, config: &KafkaConfig) -> Result<(), KafkaError> {
        for operator in config.operator_ids() {
            let topic = config.topic_of(operator);
            let created = self
                .cluster(|cluster| cluster.create_topic(&topic, 1, i32::from(self.count.min(3))));
            match created {
                Ok(())
                | Err(KafkaError::Mock(LibraryError::MockCluster(Code::TopicAlreadyExists))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes a broker down: it closes its connections and accepts no others. It stays the leader of
    /// its topics.
    ///
    /// # Errors
    /// [`KafkaError::Mock`] if there is no such broker.
    pub fn take_down(&self, broker: u8) -> Result<(), KafkaError> {
        self.cluster(|cluster| cluster.broker_down(broker.into()))
    }

    /// Brings a broker back with all its data.
    ///
    /// # Errors
    /// [`KafkaError::Mock`] if there is no such broker.
    pub fn bring_up(&self, broker: u8) -> Result<(), KafkaError> {
        self.cluster(|cluster| cluster.broker_up(broker.into()))
    }

    /// Takes all brokers down.
    ///
    /// # Errors
    /// [`KafkaError::Mock`].
    pub fn take_all_down(&self) -> Result<(), KafkaError> {
        self.cluster(|cluster| cluster.broker_down(-1))
    }

    /// Brings all brokers back.
    ///
    /// # Errors
    /// [`KafkaError::Mock`].
    pub fn bring_all_up(&self) -> Result<(), KafkaError> {
        self.cluster(|cluster| cluster.broker_up(-1))
    }

    /// Makes a broker the leader of a topic. (Writing to a topic without a leader crashes the embedded
    /// brokers.)
    ///
    /// # Errors
    /// [`KafkaError::Mock`] if there is no such broker.
    pub fn set_leader(&self, topic: &str, broker: u8) -> Result<(), KafkaError> {
        self.cluster(|cluster| cluster.partition_leader(topic, 0, Some(broker.into())))
    }

    /// Delays all answers of a broker.
    ///
    /// # Errors
    /// [`KafkaError::Mock`] if there is no such broker.
    pub fn set_delay(&self, broker: u8, delay: Duration) -> Result<(), KafkaError> {
        self.cluster(|cluster| cluster.broker_round_trip_time(broker.into(), delay))
    }

    /// Refuses the next `times` producers as not authorised; librdkafka gives up such a producer for
    /// good.
    ///
    /// # Errors
    /// [`KafkaError::Mock`].
    pub fn refuse_producers(&self, times: usize) -> Result<(), KafkaError> {
        use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
        self.cluster(|cluster| {
            cluster.request_errors(RDKafkaApiKey::InitProducerId, &vec![refusal; times]);
            Ok(())
        })
    }
}

impl fmt::Debug for MockBrokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockBrokers")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_brokers_is_refused() {
        let refused = MockBrokers::start(0).expect_err("no broker");
        assert!(matches!(refused, KafkaError::Mock(_)), "{refused}");
    }

    #[test]
    fn unknown_brokers_are_refused() {
        let brokers = MockBrokers::start(2).expect("ports");
        assert_eq!(brokers.count(), 2);
        assert_eq!(brokers.brokers().expect("they run").len(), 2);
        assert!(brokers.take_down(3).is_err());
        assert!(brokers.bring_up(3).is_err());
        assert!(brokers.set_leader("topic", 3).is_err());
    }

    #[test]
    fn existing_topics_are_kept() {
        let brokers = MockBrokers::start(1).expect("ports");
        let config = || brokers.config(FederationId::from_bytes([1; 32]), 3, OperatorId::new(2));
        config().expect("created");
        config().expect("they exist already");
    }
}
