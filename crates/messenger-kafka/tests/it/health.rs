//! What is known of brokers that are not as they should be.

use federation_messenger_kafka::{KafkaHealth, TopicState};

use super::{
    stub::{Stub, Wrong},
    *,
};

/// Not waited for: nothing at these brokers is ever ready.
fn at(stub: &Stub) -> KafkaMessenger {
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
async fn a_broker_that_closes_connections_is_known_by_name() {
    let stub = Stub::start(Wrong {
        closes: true,
        ..Wrong::default()
    })
    .await;
    let messenger = at(&stub);
    let fault = |health: &KafkaHealth| {
        let mut brokers = health.brokers.iter();
        let broker = brokers.find(|broker| broker.address == stub.address())?;
        assert!(!broker.connected);
        broker.fault.clone()
    };
    let known = health(&messenger, "it is known", |health| fault(health).is_some()).await;
    assert!(!known.is_reached());
    assert!(stub.connections() > 0);
}

#[tokio::test]
async fn a_cluster_that_advertises_an_address_where_nobody_is_is_not_reached() {
    let held = tokio::net::TcpSocket::new_v4().expect("a socket");
    held.bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let nobody = held.local_addr().expect("bound");
    let stub = Stub::start(Wrong {
        advertises: Some(nobody.port()),
        ..Wrong::default()
    })
    .await;
    let messenger = at(&stub);
    let known = health(&messenger, "the advertised address fails", |health| {
        let mut brokers = health.brokers.iter();
        brokers.any(|broker| broker.member && broker.fault.is_some())
    })
    .await;
    let advertised = known.brokers.iter().find(|broker| broker.member);
    let advertised = advertised.expect("it is listed");
    assert_eq!(advertised.address, nobody.to_string());
    assert!(!known.is_reached(), "{known:?}");
}

#[tokio::test]
async fn topics_that_are_missing_or_forbidden_are_known() {
    for (code, state) in [(3, TopicState::Missing), (29, TopicState::Forbidden)] {
        let stub = Stub::start(Wrong {
            topics: code,
            ..Wrong::default()
        })
        .await;
        let messenger = at(&stub);
        let known = health(&messenger, "the topics are asked for", |health| {
            health.topics.iter().all(|topic| topic.state == state)
        })
        .await;
        assert_eq!(known.topics.len(), usize::from(OPERATORS));
        assert_eq!(known.confirmed, 0);
    }
}

#[tokio::test]
async fn who_is_heard_and_what_is_confirmed_is_known() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = pair(&brokers).await;
    assert_eq!(b.health().heard(Duration::MAX).count(), 0);
    send(&a, "hello").await;
    assert_eq!(recv(&b).await, "hello");
    let heard: Vec<_> = b.health().heard(Duration::from_secs(60)).collect();
    assert_eq!(heard, [id(0)]);
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
