//! The client in a separate process, which a broker may crash.

use federation_messenger::MessengerError;
use federation_messenger_kafka::{KafkaError, KafkaProcess};

use super::{
    stub::{Faults, Names, Stub},
    *,
};

/// This crate's client program.
pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_federation-kafka-client");

pub(super) async fn start_process(config: KafkaConfig) -> KafkaProcess {
    let nothing: [&str; 0] = [];
    let messenger = KafkaProcess::start(config, PROGRAM, nothing)
        .await
        .expect("valid settings");
    tokio::time::timeout(Duration::from_secs(30), messenger.ready())
        .await
        .expect("topics in time")
        .expect("open");
    messenger
}

struct Separate;

#[async_trait]
impl contract::Cluster for Separate {
    type Messenger = KafkaProcess;
    type Network = MockBrokers;

    async fn start(&self, size: u8) -> (MockBrokers, Vec<KafkaProcess>) {
        let brokers = MockBrokers::start(3).expect("ports");
        let mut members = Vec::new();
        for _ in 0..size {
            let newcomer = self.join(&brokers, &members).await;
            members.push(newcomer);
        }
        (brokers, members)
    }

    async fn join(&self, brokers: &MockBrokers, running: &[KafkaProcess]) -> KafkaProcess {
        start_process(config(brokers, running.len())).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_a_separate_process_passes_the_contract() {
    contract::run(&Separate).await;
}

fn config_at(stub: &Stub, index: usize) -> KafkaConfig {
    KafkaConfig::new([stub.address()], FEDERATION, OPERATORS, id(index)).expect("valid")
}

/// This answer crashes librdkafka 2.12.1. Any broker can send it.
#[tokio::test]
async fn a_broker_that_crashes_the_client_affects_nothing_else() {
    let stub = Stub::start(Faults {
        leader_of_nothing: true,
        ..Faults::default()
    })
    .await;
    let nothing: [&str; 0] = [];
    let messenger = KafkaProcess::start(config_at(&stub, 0), PROGRAM, nothing)
        .await
        .expect("valid settings");
    let restarts = |count| {
        let health = messenger.health();
        health.restarts >= count
    };
    until("the client crashes and is restarted, twice", || restarts(2)).await;
    let faults = messenger.health().faults;
    let fault = faults.iter().find(|fault| fault.subject == "client");
    let reason = &fault.expect("it is reported").reason;
    assert!(reason.contains("signal"), "{reason}");
    // The messenger is still open and accepts frames.
    messenger
        .broadcast("still here".into())
        .await
        .expect("open");
    let waiting = tokio::time::timeout(Duration::from_millis(50), messenger.recv()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    messenger.close().await;
    assert!(matches!(
        messenger.recv().await,
        Err(MessengerError::Closed)
    ));
}

/// Like a broker that lost its data and assigned this producer's id to another.
#[tokio::test]
async fn a_producer_that_brokers_no_longer_know_is_replaced() {
    let stub = Stub::start(Faults {
        fences: true,
        ..Faults::default()
    })
    .await;
    let messenger = start_process(config_at(&stub, 0)).await;
    let replaced = async {
        while stub.producers() < 3 {
            messenger.broadcast("a frame".into()).await.expect("open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), replaced)
        .await
        .expect("in time");
    let faults = messenger.health().faults;
    let fault = faults.iter().find(|fault| fault.subject == "delivery");
    let reason = &fault.expect("it is reported").reason;
    assert!(reason.contains("no longer know"), "{reason}");
    // The client itself was not restarted.
    assert_eq!(messenger.health().restarts, 0);
}

#[tokio::test]
async fn metadata_without_topic_names_affects_nothing_else() {
    for names in [Names::Empty, Names::Null] {
        let stub = Stub::start(Faults {
            names,
            ..Faults::default()
        })
        .await;
        let nothing: [&str; 0] = [];
        let messenger = KafkaProcess::start(config_at(&stub, 0), PROGRAM, nothing)
            .await
            .expect("valid settings");
        // The client keeps querying the topics, or crashes on the answer.
        until("the answer was read", || {
            let health = messenger.health();
            health.restarts > 0 || stub.metadata_requests() > 5
        })
        .await;
        messenger
            .broadcast("still here".into())
            .await
            .expect("open");
        assert!(!messenger.health().ready, "there is no topic");
        messenger.close().await;
    }
}

#[tokio::test]
async fn a_client_that_is_killed_is_restarted_and_continues() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = tokio::join!(
        start_process(config(&brokers, 0)),
        start_process(config(&brokers, 1))
    );
    a.broadcast("before".into()).await.expect("open");
    let recv = || async {
        let frame = tokio::time::timeout(Duration::from_secs(30), b.recv()).await;
        frame.expect("in time").expect("open")
    };
    assert_eq!(recv().await, "before");
    let before = b.stats();
    for (life, killed) in [(1, &b), (2, &b), (1, &a)] {
        let process = killed.process_id().expect("it runs");
        let kill = tokio::process::Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status();
        assert!(kill.await.expect("the system has kill").success());
        until("it is restarted", || {
            killed.health().restarts == life && killed.health().ready
        })
        .await;
    }
    a.broadcast("after".into()).await.expect("open");
    assert_eq!(recv().await, "after");
    let after = b.stats();
    assert_eq!(after.frames_in, before.frames_in + 1);
    assert!(after.reconnects >= before.reconnects + 2, "{after:?}");
}

#[tokio::test]
async fn a_program_other_than_a_client_is_refused() {
    let brokers = MockBrokers::start(1).expect("ports");
    let nothing: [&str; 0] = [];
    for program in ["/nonexistent", "cat", "true"] {
        let refused = KafkaProcess::start(config(&brokers, 0), program, nothing).await;
        let error = refused.expect_err(program);
        assert!(
            matches!(error, KafkaError::Process(_)),
            "{program}: {error}"
        );
    }
    let wrong = config(&brokers, 0)
        .with_setting("security.protocol", "SASL_PLAINTEXT")
        .expect("a valid value");
    let refused = KafkaProcess::start(wrong, PROGRAM, nothing).await;
    let error = refused.expect_err("SASL needs a user name");
    assert!(matches!(error, KafkaError::Client(_)), "{error}");
}
