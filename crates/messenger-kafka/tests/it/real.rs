//! Tests with a real cluster:
//! `KAFKA_BROKERS=host:port,.. cargo test -p federation-messenger-kafka -- --ignored`.
//! `KAFKA_REPLICATION` sets the replication factor of new topics, 1 by default, and `KAFKA_SETTINGS`
//! sets librdkafka's settings, as in `security.protocol=ssl ssl.ca.location=ca.pem`.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use federation_messenger_kafka::KafkaError;

use super::*;

/// A separate topic prefix for each test, since topics persist.
#[derive(Clone)]
struct Topics(String);

impl Topics {
    fn fresh() -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since_epoch.expect("after 1970").as_millis();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Self(format!("test-{millis}-{serial}"))
    }

    fn config(&self, index: usize) -> Result<KafkaConfig, KafkaError> {
        let brokers = env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS names a cluster");
        let replication = env::var("KAFKA_REPLICATION").map_or(1, |text| {
            text.parse().expect("KAFKA_REPLICATION is a number")
        });
        let config = KafkaConfig::new(brokers.split(','), FEDERATION, OPERATORS, id(index))?;
        let settings = env::var("KAFKA_SETTINGS").unwrap_or_default();
        let settings = settings.split_whitespace().map(|setting| {
            setting
                .split_once('=')
                .expect("KAFKA_SETTINGS has name=value")
        });
        Ok(config
            .with_topic_prefix(&self.0)?
            .with_settings(settings)?
            .with_replication(replication))
    }
}

struct Real;

#[async_trait]
impl contract::Cluster for Real {
    type Messenger = KafkaMessenger;
    type Network = Topics;

    async fn start(&self, size: u8) -> (Topics, Vec<KafkaMessenger>) {
        let topics = Topics::fresh();
        let mut members = Vec::new();
        for _ in 0..size {
            let newcomer = self.join(&topics, &members).await;
            members.push(newcomer);
        }
        (topics, members)
    }

    async fn join(&self, topics: &Topics, running: &[KafkaMessenger]) -> KafkaMessenger {
        start(topics.config(running.len()).expect("valid")).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs KAFKA_BROKERS"]
async fn passes_the_contract_with_a_real_cluster() {
    contract::run(&Real).await;
}

#[tokio::test]
#[ignore = "needs KAFKA_BROKERS"]
async fn a_restarted_operator_receives_no_earlier_frames() {
    let topics = Topics::fresh();
    let config = |index| topics.config(index).expect("valid");
    let (a, b) = (start(config(0)).await, start(config(1)).await);
    send(&a, "while it runs").await;
    assert_eq!(recv(&b).await, "while it runs");
    b.close().await;
    send(&a, "while it is away").await;
    // Give the frame a second to reach the broker before the other operator is back.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let b = start(config(1)).await;
    send(&a, "when it is back").await;
    assert_eq!(recv(&b).await, "when it is back");
}

#[tokio::test]
#[ignore = "needs KAFKA_BROKERS"]
async fn a_large_incompressible_block_arrives_unchanged() {
    let topics = Topics::fresh();
    let config = |index| topics.config(index).expect("valid");
    let (a, b) = (start(config(0)).await, start(config(1)).await);
    for seed in 1..=3 {
        let frame = noise(seed, 8_000_000);
        send(&a, frame.clone()).await;
        assert!(recv(&b).await == frame, "block {seed} arrives unchanged");
    }
}
