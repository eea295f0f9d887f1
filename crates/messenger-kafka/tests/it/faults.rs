//! Brokers that fail, return, change leaders and restart in turn.

use std::time::Instant;

use federation_messenger::MessengerError;

use super::*;

/// Numbered frames of which none may be lost.
struct Flow {
    sent: u32,
    received: u32,
}

impl Flow {
    const fn new() -> Self {
        Self {
            sent: 0,
            received: 0,
        }
    }

    async fn send(&mut self, from: &KafkaMessenger) {
        send(from, self.sent.to_string()).await;
        self.sent += 1;
    }

    /// Checks that every frame sent arrives, once and in order.
    async fn arrives(&mut self, at: &KafkaMessenger) {
        while self.received < self.sent {
            assert_eq!(recv(at).await, self.received.to_string());
            self.received += 1;
        }
    }
}

#[tokio::test]
async fn frames_sent_while_all_brokers_are_down_arrive_when_they_are_back() {
    let brokers = MockBrokers::start(3).expect("ports");
    let (a, b) = pair(&brokers).await;
    let mut flow = Flow::new();
    flow.send(&a).await;
    flow.arrives(&b).await;
    brokers.take_all_down().expect("they run");
    until("the loss is noticed", || {
        !a.is_connected() && !b.is_connected()
    })
    .await;
    for _ in 0..100 {
        let started = Instant::now();
        flow.send(&a).await;
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "broadcast does not wait"
        );
    }
    assert!(!a.stats().peers[0].connected);
    brokers.bring_all_up().expect("they were down");
    flow.arrives(&b).await;
    flow.send(&a).await;
    flow.arrives(&b).await;
    until("the return is noticed", || a.stats().reconnects == 1).await;
    assert_eq!(a.stats().dropped_out, 0);
}

#[tokio::test]
async fn a_new_leader_continues_where_the_last_one_ended() {
    let brokers = MockBrokers::start(3).expect("ports");
    let (a, b) = pair(&brokers).await;
    let topic = config(&brokers, 0).own_topic();
    let mut flow = Flow::new();
    for leader in [1, 2, 3, 2, 1] {
        flow.send(&a).await;
        brokers.set_leader(&topic, leader).expect("it runs");
        flow.send(&a).await;
        flow.arrives(&b).await;
    }
}

#[tokio::test]
async fn a_rolling_restart_loses_and_duplicates_nothing() {
    let brokers = MockBrokers::start(3).expect("ports");
    let (a, b) = pair(&brokers).await;
    let topics = [0, 1].map(|index| config(&brokers, index).own_topic());
    let (mut there, mut back) = (Flow::new(), Flow::new());
    for broker in 1..=3 {
        let next = broker % 3 + 1;
        for _ in 0..5 {
            there.send(&a).await;
            back.send(&b).await;
        }
        // A broker in an orderly shutdown first hands over its topics.
        for topic in &topics {
            brokers.set_leader(topic, next).expect("it runs");
        }
        brokers.take_down(broker).expect("it runs");
        for _ in 0..5 {
            there.send(&a).await;
            back.send(&b).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        brokers.bring_up(broker).expect("it was down");
        there.arrives(&b).await;
        back.arrives(&a).await;
    }
    assert_eq!((a.stats().dropped_out, b.stats().dropped_out), (0, 0));
}

#[tokio::test]
async fn brokers_that_start_late_are_found() {
    let brokers = MockBrokers::start(1).expect("ports");
    let configs = [0, 1].map(|index| config(&brokers, index));
    brokers.take_all_down().expect("they run");
    let [a, b] = configs.map(|config| KafkaMessenger::start(config).expect("valid"));
    send(&a, "before any broker is up").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!a.is_connected());
    brokers.bring_all_up().expect("they were down");
    tokio::join!(ready(&a), ready(&b));
    send(&a, "after").await;
    while recv(&b).await != "after" {}
}

#[tokio::test]
async fn closing_does_not_wait_for_the_brokers() {
    let brokers = MockBrokers::start(2).expect("ports");
    let configs = [0, 1, 2].map(|index| config(&brokers, index));
    let [first, second, third] = configs;
    let (a, b) = tokio::join!(start(first), start(second));
    brokers
        .set_delay(1, Duration::from_secs(5))
        .expect("it runs");
    brokers
        .set_delay(2, Duration::from_secs(5))
        .expect("it runs");
    send(&a, "in transit").await;
    let closing = Instant::now();
    a.close().await;
    assert!(
        closing.elapsed() < Duration::from_secs(8),
        "{:?}",
        closing.elapsed()
    );
    brokers.take_all_down().expect("they run");
    until("the loss is noticed", || !b.is_connected()).await;
    // One that was connected, and one that never was.
    let c = KafkaMessenger::start(third).expect("valid");
    for messenger in [b, c] {
        send(&messenger, "for nobody").await;
        let closing = Instant::now();
        messenger.close().await;
        assert!(
            closing.elapsed() < Duration::from_secs(8),
            "{:?}",
            closing.elapsed()
        );
        assert!(matches!(
            messenger.ready().await,
            Err(MessengerError::Closed)
        ));
    }
}

#[tokio::test]
async fn queued_frames_are_bounded_and_the_oldest_are_dropped_first() {
    let brokers = MockBrokers::start(1).expect("ports");
    let limits = federation_messenger::QueueLimits::new(50, 1_000_000);
    let (a, b) = tokio::join!(
        start(config(&brokers, 0).with_queue_limits(limits)),
        start(config(&brokers, 1))
    );
    brokers.take_all_down().expect("they run");
    until("the loss is noticed", || !a.is_connected()).await;
    for serial in 0..2_000 {
        send(&a, serial.to_string()).await;
        if serial % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    until("old frames are dropped", || a.stats().dropped_out > 1_000).await;
    brokers.bring_all_up().expect("they were down");
    let (mut last, mut received) = (None, 0);
    while last != Some(1_999) {
        let frame = recv(&b).await;
        let serial = String::from_utf8_lossy(&frame).parse::<u32>().ok();
        assert!(serial > last, "{serial:?} after {last:?}");
        last = serial;
        received += 1;
    }
    assert!(received < 500, "{received}");
    assert_eq!(a.stats().frames_out, 2_000);
    assert_eq!(a.stats().dropped_out, 2_000 - received);
}

#[tokio::test]
async fn frames_past_their_lifetime_are_dropped_and_counted() {
    let brokers = MockBrokers::start(1).expect("ports");
    let short = config(&brokers, 0).with_lifetime(Duration::from_secs(1));
    let (a, b) = tokio::join!(start(short), start(config(&brokers, 1)));
    brokers.take_all_down().expect("they run");
    until("the loss is noticed", || !a.is_connected()).await;
    for _ in 0..10 {
        send(&a, "too late").await;
    }
    until("they are dropped", || a.stats().dropped_out == 10).await;
    brokers.bring_all_up().expect("they were down");
    assert_eq!(send_until_received(&a, &b, "in time").await, "in time");
}

#[tokio::test]
async fn a_producer_that_librdkafka_gives_up_is_replaced() {
    let brokers = MockBrokers::start(1).expect("ports");
    let configs = [0, 1].map(|index| config(&brokers, index));
    brokers.refuse_producers(1).expect("it runs");
    let [a, b] = configs;
    let (a, b) = tokio::join!(start(a), start(b));
    // One of the two was refused and may have lost its first frames.
    for (from, to) in [(&a, &b), (&b, &a)] {
        assert_eq!(send_until_received(from, to, "hello").await, "hello");
    }
}

#[tokio::test]
async fn uncompressed_frames_of_the_largest_size_arrive() {
    let brokers = MockBrokers::start(1).expect("ports");
    let uncompressed = |index| {
        let config = config(&brokers, index);
        config
            .with_setting("compression.type", "none")
            .expect("allowed")
    };
    let (a, b) = tokio::join!(start(uncompressed(0)), start(uncompressed(1)));
    // It must be the first in its topic: these brokers lose a large frame that is not.
    for (from, to) in [(&a, &b), (&b, &a)] {
        let frame = noise(7, federation_messenger::MAX_FRAME);
        send(from, frame.clone()).await;
        assert!(recv(to).await == frame, "it arrives unchanged");
    }
}

#[tokio::test]
async fn an_operator_starts_with_its_own_topic_and_reads_the_others_once_they_exist() {
    let brokers = MockBrokers::start(1).expect("ports");
    // Like brokers that do not allow it, these create no topics on request.
    let config_of = |operators, index| {
        brokers
            .config(FEDERATION, operators, id(index))
            .and_then(|config| config.with_topic_prefix("by-hand"))
            .expect("valid")
    };
    brokers.create_topics(&config_of(1, 0)).expect("they run");
    let a = start(config_of(2, 0)).await;
    brokers.create_topics(&config_of(2, 0)).expect("they run");
    let b = start(config_of(2, 1)).await;
    send(&a, "to b").await;
    assert_eq!(recv(&b).await, "to b");
    send(&b, "to a").await;
    assert_eq!(recv(&a).await, "to a");
}
