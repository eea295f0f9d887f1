//! An attacker with access to the brokers, who sends forged, old, foreign and oversized frames.
//!
//! The messenger does not authenticate frames: forged ones are passed on and refused by the check of
//! the envelope inside. The messenger must survive, stay within its bounds, and keep one sender from
//! affecting the others.

use std::time::{SystemTime, UNIX_EPOCH};

use federation_messenger::{MAX_FRAME, Peer, PeerStats, QueueLimits};
use rdkafka::{
    ClientConfig,
    error::{KafkaError as LibraryError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};

use super::*;

/// A client that sends anything.
struct Attacker(BaseProducer);

impl Attacker {
    fn new(brokers: &MockBrokers, compression: &str) -> Self {
        let servers = brokers.brokers().expect("they run").join(",");
        let producer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("message.max.bytes", "200000000")
            .set("compression.type", compression)
            .set("linger.ms", "0")
            .create()
            .expect("valid");
        Self(producer)
    }

    fn queue(&self, mut record: BaseRecord<'_, str, [u8]>) {
        loop {
            record = match self.0.send(record) {
                Ok(()) => return,
                Err((LibraryError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    self.0.poll(Duration::from_millis(10));
                    record
                }
                Err((error, _)) => panic!("{error}"),
            };
        }
    }

    fn flush(&self) {
        self.0.flush(Duration::from_secs(20)).expect("they run");
    }

    fn send(&self, topic: &str, payload: &[u8]) {
        self.queue(BaseRecord::to(topic).partition(0).payload(payload));
        self.flush();
    }
}

fn stats_of(messenger: &KafkaMessenger, index: usize) -> PeerStats {
    let peers = messenger.stats().peers;
    let found = peers
        .into_iter()
        .find(|peer| peer.peer == Peer::Operator(id(index)));
    found.expect("every other operator is listed")
}

#[tokio::test]
async fn frames_forged_in_an_operators_name_do_not_reach_that_operator() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let attacker = Attacker::new(&brokers, "none");
    attacker.send(&config(&brokers, 0).own_topic(), b"forged");
    // The sender is not authenticated: b receives the frame, whose envelope would not verify.
    assert_eq!(recv(&b).await, "forged");
    send(&b, "to a").await;
    assert_eq!(recv(&a).await, "to a");
    assert_eq!(a.stats().frames_in, 1);
}

#[tokio::test]
async fn old_frames_are_skipped_and_counted() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let attacker = Attacker::new(&brokers, "none");
    let topic = config(&brokers, 0).own_topic();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_millis()).expect("before 292278994");
    for age in [86_400_000, 120_000, now - 1] {
        let old = BaseRecord::to(&topic).partition(0).payload(&b"old"[..]);
        attacker.queue(old.timestamp(now - age));
    }
    attacker.flush();
    // A clock that is ahead makes no frame old.
    let ahead = BaseRecord::to(&topic).partition(0).payload(&b"ahead"[..]);
    attacker.queue(ahead.timestamp(now + 86_400_000));
    attacker.flush();
    send(&a, "new").await;
    assert_eq!(recv(&b).await, "ahead");
    assert_eq!(recv(&b).await, "new");
    assert_eq!(stats_of(&b, 0).dropped_in, 3);
}

#[tokio::test]
async fn oversized_frames_are_dropped_and_later_ones_arrive() {
    for (compression, size) in [
        ("none", MAX_FRAME + 1),
        // Far more than a reader requests at a time.
        ("none", 30_000_000),
        // A small record that decompresses to a large one.
        ("lz4", 90_000_000),
        ("snappy", 90_000_000),
    ] {
        let brokers = MockBrokers::start(1).expect("ports");
        let (a, b) = pair(&brokers).await;
        let attacker = Attacker::new(&brokers, compression);
        attacker.send(&config(&brokers, 0).own_topic(), &vec![0; size]);
        until("it is dropped", || stats_of(&b, 0).dropped_in == 1).await;
        // These brokers lose the message after a large one.
        assert_eq!(send_until_received(&a, &b, "after").await, "after");
    }
}

#[tokio::test]
async fn records_without_a_payload_are_received_as_empty_frames() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let attacker = Attacker::new(&brokers, "none");
    let topic = config(&brokers, 0).own_topic();
    attacker.queue(BaseRecord::to(&topic).partition(0).key("deleted"));
    attacker.flush();
    assert_eq!(recv(&b).await, "");
    send(&a, "after").await;
    assert_eq!(recv(&b).await, "after");
}

#[tokio::test]
async fn frames_of_another_federation_on_the_same_brokers_are_not_received() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let other = FederationId::from_bytes([0xcd; 32]);
    let theirs = |index| {
        let config = brokers.config(other, OPERATORS, id(index));
        config.expect("valid")
    };
    let (c, d) = tokio::join!(start(theirs(0)), start(theirs(1)));
    send(&c, "theirs").await;
    assert_eq!(recv(&d).await, "theirs");
    send(&a, "ours").await;
    assert_eq!(recv(&b).await, "ours");
    assert_eq!((b.stats().frames_in, d.stats().frames_in), (1, 1));
}

#[tokio::test]
async fn a_flood_in_one_topic_causes_no_loss_in_others() {
    const FLOOD: u64 = 20_000;
    let brokers = MockBrokers::start(1).expect("ports");
    let limits = QueueLimits::new(100, 1_000_000);
    let (a, b) = tokio::join!(
        start(config(&brokers, 0)),
        start(config(&brokers, 1).with_queue_limits(limits))
    );
    let attacker = Attacker::new(&brokers, "none");
    let topic = config(&brokers, 2).own_topic();
    for serial in 0..FLOOD {
        let payload = serial.to_string();
        attacker.queue(
            BaseRecord::to(&topic)
                .partition(0)
                .payload(payload.as_bytes()),
        );
        if serial % (FLOOD / 50) == 0 {
            send(&a, "quiet").await;
            attacker.0.poll(Duration::ZERO);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    attacker.flush();
    until("all of it has arrived", || {
        stats_of(&b, 2).frames_in == FLOOD && stats_of(&b, 0).frames_in == 50
    })
    .await;
    assert_eq!(stats_of(&b, 0).dropped_in, 0);
    assert_eq!(stats_of(&b, 2).dropped_in, FLOOD - 100);
    let mut quiet = 0;
    for _ in 0..150 {
        quiet += u32::from(recv(&b).await == "quiet");
    }
    assert_eq!(quiet, 50);
}
