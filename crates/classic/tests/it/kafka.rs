//! The old Kafka topics, with librdkafka's mock cluster.

use std::time::Duration;

use federation_chain::BlockHeight;
use federation_classic::{
    Message,
    wire::{
        Arrival, Wire, WireError,
        kafka::{KafkaConfig, KafkaWire},
    },
};
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
};
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(120);

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    MockCluster::new(1).expect("a cluster")
}

/// This crate's client program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_federation-classic-kafka-client");

async fn connect(brokers: &str, me: usize) -> KafkaWire {
    let config = KafkaConfig::new(brokers, 3, me).expect("valid");
    let nothing: [&str; 0] = [];
    KafkaWire::start(config, PROGRAM, nothing)
        .await
        .expect("a client")
}

fn proposal(height: u32, size: usize) -> Message {
    Message::Proposal {
        height: BlockHeight::new(height),
        block: vec![7; size].into(),
        reissuances: Vec::new(),
    }
}

fn signatures(height: u32) -> Message {
    Message::Signatures {
        height: BlockHeight::new(height),
        signatures: Vec::new(),
        reissuances: None,
    }
}

/// Sends a message until it arrives, since a reader misses earlier messages.
async fn arrives(from: &KafkaWire, to: &KafkaWire, message: &Message) -> Arrival {
    let sending = async {
        loop {
            from.publish(message).await.expect("open");
            sleep(Duration::from_millis(200)).await;
        }
    };
    let receiving = async {
        loop {
            let arrival = to.recv().await.expect("open");
            if arrival.message == *message {
                return arrival;
            }
        }
    };
    tokio::select! {
        arrival = timeout(LIMIT, receiving) => arrival.expect("in time"),
        () = sending => unreachable!("it never stops sending"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_have_no_sender_and_signatures_that_of_their_topic() {
    let cluster = cluster();
    let brokers = cluster.bootstrap_servers();
    let (a, c) = tokio::join!(connect(&brokers, 0), connect(&brokers, 2));
    assert_eq!(arrives(&a, &c, &proposal(7, 1000)).await.from, None);
    assert_eq!(arrives(&a, &c, &signatures(7)).await.from, Some(0));
    assert_eq!(arrives(&c, &a, &signatures(7)).await.from, Some(2));
    // Closing also works while a recv is pending.
    let waiting = async { while a.recv().await.is_ok() {} };
    timeout(LIMIT, async { tokio::join!(waiting, a.close()) })
        .await
        .expect("both end");
    assert_eq!(a.publish(&proposal(8, 1)).await, Err(WireError::Closed));
    assert_eq!(a.recv().await, Err(WireError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn earlier_messages_and_garbage_are_not_received() {
    let cluster = cluster();
    let brokers = cluster.bootstrap_servers();
    let mut config = ClientConfig::new();
    let other: BaseProducer = config
        .set("bootstrap.servers", &brokers)
        .create()
        .expect("a producer");
    let send = |topic: &str, text: &[u8]| {
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).payload(text);
        assert!(other.send(record).is_ok());
        other.flush(LIMIT).expect("sent");
    };
    let old = proposal(5, 10).to_json();
    send("new-block", &old);
    send("new-sig0", &signatures(5).to_json());
    let (a, c) = tokio::join!(connect(&brokers, 0), connect(&brokers, 2));
    // Now it is reading.
    arrives(&a, &c, &proposal(6, 10)).await;
    for garbage in [&b""[..], b"{", b"{\"height\": 7}", &signatures(7).to_json()] {
        send("new-block", garbage);
    }
    a.publish(&proposal(8, 10)).await.expect("open");
    loop {
        let received = timeout(LIMIT, c.recv()).await.expect("in time");
        match received.expect("open").message.height().to_u32() {
            6 => {}
            8 => break,
            other => panic!("height {other} was received"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_start_late_or_go_down_are_retried() {
    let cluster = cluster();
    cluster.broker_down(1).expect("down");
    let brokers = cluster.bootstrap_servers();
    let (a, c) = tokio::join!(connect(&brokers, 0), connect(&brokers, 2));
    for height in 0..30 {
        // More than the queue holds: the excess is dropped as stale, without an error.
        a.publish(&proposal(height, 10)).await.expect("open");
    }
    cluster.broker_up(1).expect("up");
    arrives(&a, &c, &proposal(100, 10)).await;
    cluster.broker_down(1).expect("down");
    sleep(Duration::from_secs(1)).await;
    cluster.broker_up(1).expect("up");
    arrives(&a, &c, &proposal(101, 10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_ends_is_restarted_and_later_messages_arrive() {
    let cluster = cluster();
    let brokers = cluster.bootstrap_servers();
    let (a, c) = tokio::join!(connect(&brokers, 0), connect(&brokers, 2));
    arrives(&a, &c, &proposal(7, 1000)).await;
    for wire in [&a, &c] {
        let process = wire.process_id().expect("it runs");
        let kill = std::process::Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status();
        assert!(kill.expect("the system has kill").success());
    }
    let restarted = async {
        while a.restarts() == 0 || c.restarts() == 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, restarted).await.expect("in time");
    assert_eq!(arrives(&a, &c, &signatures(8)).await.from, Some(0));
    assert_eq!((a.restarts(), c.restarts()), (1, 1));
}

#[tokio::test]
async fn invalid_properties_are_refused_at_the_start() {
    let config = KafkaConfig::new("127.0.0.1:1", 3, 0).expect("valid");
    let config = config.with_property("no.such.property", "1");
    let nothing: [&str; 0] = [];
    let refused = KafkaWire::start(config, PROGRAM, nothing).await;
    let error = refused.expect_err("no such property").to_string();
    assert!(error.contains("no.such.property"), "{error}");
}
