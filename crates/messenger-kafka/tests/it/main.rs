//! Tests of the messenger with librdkafka's embedded cluster, and with a real one if available.

mod api;
mod confined;
mod faults;
mod health;
mod hostile;
mod process;
mod real;
mod stub;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{Messenger, contract};
use federation_messenger_kafka::{KafkaConfig, KafkaMessenger, mock::MockBrokers};
use federation_roster::{FederationId, OperatorId};

const FEDERATION: FederationId = FederationId::from_bytes([0xab; 32]);

/// The most operators in a federation of these tests.
const OPERATORS: u8 = 5;

fn id(index: usize) -> OperatorId {
    OperatorId::new(u8::try_from(index).expect("few operators"))
}

async fn start(config: KafkaConfig) -> KafkaMessenger {
    // For the output of failed tests. Another test may have set up logging already.
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_test_writer()
        .try_init();
    let messenger = KafkaMessenger::start(config).expect("valid settings");
    ready(&messenger).await;
    messenger
}

async fn ready(messenger: &KafkaMessenger) {
    tokio::time::timeout(Duration::from_secs(30), messenger.ready())
        .await
        .expect("topics in time")
        .expect("open");
}

fn config(brokers: &MockBrokers, index: usize) -> KafkaConfig {
    brokers
        .config(FEDERATION, OPERATORS, id(index))
        .expect("valid")
}

/// Starts two operators that receive from each other.
async fn pair(brokers: &MockBrokers) -> (KafkaMessenger, KafkaMessenger) {
    tokio::join!(start(config(brokers, 0)), start(config(brokers, 1)))
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .is_err()
    {
        panic!("timed out: {what}");
    }
}

async fn recv(messenger: &KafkaMessenger) -> Bytes {
    tokio::time::timeout(Duration::from_secs(30), messenger.recv())
        .await
        .expect("a frame in time")
        .expect("open")
}

async fn send(messenger: &KafkaMessenger, frame: impl Into<Bytes>) {
    messenger.broadcast(frame.into()).await.expect("open");
}

/// Retransmits, as the protocol does, until a frame arrives.
async fn send_until_received(
    from: &KafkaMessenger,
    to: &KafkaMessenger,
    frame: &'static str,
) -> Bytes {
    let sending = async {
        loop {
            send(from, frame).await;
            if let Ok(frame) = tokio::time::timeout(Duration::from_millis(200), to.recv()).await {
                return frame.expect("open");
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), sending)
        .await
        .expect("in time")
}

/// Returns incompressible bytes, from Marsaglia's xorshift.
fn noise(seed: u64, size: usize) -> Bytes {
    let mut state = seed;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| word()).collect();
    Bytes::from(bytes).slice(..size)
}

struct Embedded;

#[async_trait]
impl contract::Cluster for Embedded {
    type Messenger = KafkaMessenger;
    type Network = MockBrokers;

    async fn start(&self, size: u8) -> (MockBrokers, Vec<KafkaMessenger>) {
        let brokers = MockBrokers::start(3).expect("ports");
        let mut members = Vec::new();
        for _ in 0..size {
            let newcomer = self.join(&brokers, &members).await;
            members.push(newcomer);
        }
        (brokers, members)
    }

    async fn join(&self, brokers: &MockBrokers, running: &[KafkaMessenger]) -> KafkaMessenger {
        start(config(brokers, running.len())).await
    }
}

#[tokio::test]
async fn passes_the_contract() {
    contract::run(&Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_contract_on_two_threads() {
    contract::run(&Embedded).await;
}
