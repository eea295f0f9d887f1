//! The health reported for faulty brokers.

use federation_messenger_kafka::{KafkaHealth, TopicState};

use super::{
    stub::{Faults, Stub},
    *,
};

/// Starts a messenger without waiting for it: with these brokers it is never ready.
fn start_at(stub: &Stub) -> KafkaMessenger {
    let config = KafkaConfig::new([stub.address()], FEDERATION, OPERATORS, id(0));
    KafkaMessenger::start(config.expect("valid")).expect("valid settings")
}

async fn health(
    messenger: &KafkaMessenger,
    what: &str,
    is: impl Fn(&KafkaHealth) -> bool,
) -> KafkaHealth {
    until(what, || is(&messenger.health())).await;
    messenger.health()
}

#[tokio::test]
async fn a_broker_that_closes_connections_is_reported_by_name() {
    let stub = Stub::start(Faults {
        closes: true,
        ..Faults::default()
    })
    .await;
    let messenger = start_at(&stub);
    let fault = |health: &KafkaHealth| {
        let mut brokers = health.brokers.iter();
        let broker = brokers.find(|broker| broker.address == stub.address())?;
        assert!(!broker.connected);
        broker.fault.clone()
    };
    let known = health(&messenger, "it is reported", |health| {
        fault(health).is_some()
    })
    .await;
    assert!(!known.is_reached());
    assert!(stub.connections() > 0);
}

#[tokio::test]
async fn a_cluster_that_advertises_a_dead_address_is_not_reached() {
    let reserved = tokio::net::TcpSocket::new_v4().expect("a socket");
    reserved
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let dead = reserved.local_addr().expect("bound");
    let stub = Stub::start(Faults {
        advertises: Some(dead.port()),
        ..Faults::default()
    })
    .await;
    let messenger = start_at(&stub);
    let known = health(&messenger, "the advertised address fails", |health| {
        let mut brokers = health.brokers.iter();
        brokers.any(|broker| broker.member && broker.fault.is_some())
    })
    .await;
    let advertised = known.brokers.iter().find(|broker| broker.member);
    let advertised = advertised.expect("it is listed");
    assert_eq!(advertised.address, dead.to_string());
    assert!(!known.is_reached(), "{known:?}");
}

#[tokio::test]
async fn missing_and_forbidden_topics_are_reported() {
    for (code, state) in [(3, TopicState::Missing), (29, TopicState::Forbidden)] {
        let stub = Stub::start(Faults {
            topics: code,
            ..Faults::default()
        })
        .await;
        let messenger = start_at(&stub);
        let known = health(&messenger, "the topics are queried", |health| {
            health.topics.iter().all(|topic| topic.state == state)
        })
        .await;
        assert_eq!(known.topics.len(), usize::from(OPERATORS));
        assert_eq!(known.confirmed, 0);
    }
}

#[tokio::test]
async fn received_operators_and_confirmed_frames_are_reported() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    assert_eq!(b.health().received_within(Duration::MAX).count(), 0);
    send(&a, "hello").await;
    assert_eq!(recv(&b).await, "hello");
    let operators: Vec<_> = b
        .health()
        .received_within(Duration::from_secs(60))
        .collect();
    assert_eq!(operators, [id(0)]);
    until("the frame is confirmed", || a.health().confirmed == 1).await;
    let known = health(&b, "the brokers are known", KafkaHealth::is_reached).await;
    assert!(known.ready);
    let topics = known.topics.iter();
    assert!(
        topics
            .clone()
            .all(|topic| topic.state == TopicState::Present)
    );
    assert!(known.brokers.iter().all(|broker| broker.fault.is_none()));
}
