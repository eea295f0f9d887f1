//! Somebody with access to the brokers who sends what is not his, not new, not ours or too large.
//!
//! The messenger proves nothing about a frame: what is forged is passed on, and refused by whoever
//! checks the envelope inside. What it must do is survive, stay within bounds, and let nobody be in
//! the way of the others.

use std::time::{SystemTime, UNIX_EPOCH};

use federation_messenger::{MAX_FRAME, Peer, PeerStats, QueueLimits};
use rdkafka::{
    ClientConfig,
    error::{KafkaError as LibraryError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};

use super::*;

/// A client with no manners.
struct Stranger(BaseProducer);

impl Stranger {
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

    fn put(&self, mut record: BaseRecord<'_, str, [u8]>) {
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
        self.put(BaseRecord::to(topic).partition(0).payload(payload));
        self.flush();
    }
}

fn from(messenger: &KafkaMessenger, place: usize) -> PeerStats {
    let peers = messenger.stats().peers;
    let found = peers
        .into_iter()
        .find(|peer| peer.peer == Peer::Operator(id(place)));
    found.expect("every other operator is listed")
}

#[tokio::test]
async fn what_is_forged_in_an_operators_name_does_not_come_back_to_it() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let stranger = Stranger::new(&brokers, "none");
    stranger.send(&config(&brokers, 0).own_topic(), b"forged");
    // Nothing is proven: to b it is a frame as any other, without a signature that holds.
    assert_eq!(recv(&b).await, "forged");
    send(&b, "to a").await;
    assert_eq!(recv(&a).await, "to a");
    assert_eq!(a.stats().frames_in, 1);
}

#[tokio::test]
async fn what_is_of_yesterday_is_skipped_and_counted() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let stranger = Stranger::new(&brokers, "none");
    let topic = config(&brokers, 0).own_topic();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_millis()).expect("before 292278994");
    for age in [86_400_000, 120_000, now - 1] {
        let old = BaseRecord::to(&topic).partition(0).payload(&b"old"[..]);
        stranger.put(old.timestamp(now - age));
    }
    stranger.flush();
    // A clock that is ahead makes nothing old.
    let ahead = BaseRecord::to(&topic).partition(0).payload(&b"ahead"[..]);
    stranger.put(ahead.timestamp(now + 86_400_000));
    stranger.flush();
    send(&a, "new").await;
    assert_eq!(recv(&b).await, "ahead");
    assert_eq!(recv(&b).await, "new");
    assert_eq!(from(&b, 0).dropped_in, 3);
}

#[tokio::test]
async fn what_is_too_large_is_dropped_and_what_follows_arrives() {
    for (compression, size) in [
        ("none", MAX_FRAME + 1),
        // Far over what a reader asks for at a time.
        ("none", 30_000_000),
        // A small record that becomes a large one.
        ("lz4", 90_000_000),
        ("snappy", 90_000_000),
    ] {
        let brokers = MockBrokers::start(1).expect("ports");
        let (a, b) = pair(&brokers).await;
        let stranger = Stranger::new(&brokers, compression);
        stranger.send(&config(&brokers, 0).own_topic(), &vec![0; size]);
        until("it is dropped", || from(&b, 0).dropped_in == 1).await;
        // These brokers lose the message after a large one.
        assert_eq!(heard(&a, &b, "after").await, "after");
    }
}

#[tokio::test]
async fn records_without_a_payload_are_empty_frames() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let stranger = Stranger::new(&brokers, "none");
    let topic = config(&brokers, 0).own_topic();
    stranger.put(BaseRecord::to(&topic).partition(0).key("deleted"));
    stranger.flush();
    assert_eq!(recv(&b).await, "");
    send(&a, "after").await;
    assert_eq!(recv(&b).await, "after");
}

#[tokio::test]
async fn another_federation_at_the_same_brokers_is_not_heard() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    let other = FederationId::from_bytes([0xcd; 32]);
    let theirs = |place| {
        let config = brokers.config(other, OPERATORS, id(place));
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
async fn a_flood_in_one_topic_drops_nothing_of_the_others() {
    const FLOOD: u64 = 20_000;
    let brokers = MockBrokers::start(1).expect("ports");
    let limits = QueueLimits::new(100, 1_000_000);
    let (a, b) = tokio::join!(
        start(config(&brokers, 0)),
        start(config(&brokers, 1).with_queue_limits(limits))
    );
    let stranger = Stranger::new(&brokers, "none");
    let topic = config(&brokers, 2).own_topic();
    for serial in 0..FLOOD {
        let payload = serial.to_string();
        stranger.put(
            BaseRecord::to(&topic)
                .partition(0)
                .payload(payload.as_bytes()),
        );
        if serial % (FLOOD / 50) == 0 {
            send(&a, "calm").await;
            stranger.0.poll(Duration::ZERO);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    stranger.flush();
    until("all of it has come", || {
        from(&b, 2).frames_in == FLOOD && from(&b, 0).frames_in == 50
    })
    .await;
    assert_eq!(from(&b, 0).dropped_in, 0);
    assert_eq!(from(&b, 2).dropped_in, FLOOD - 100);
    let mut calm = 0;
    for _ in 0..150 {
        calm += u32::from(recv(&b).await == "calm");
    }
    assert_eq!(calm, 50);
}
