//! Peers that start late, leave, return, or are misconfigured.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use federation_messenger::MessengerError;
use federation_messenger_zmq::{Resolve, ZmqError};

use super::*;

#[tokio::test]
async fn a_peer_that_starts_late_is_found() {
    let reserved = reserve();
    let later = reserved.endpoint.clone();
    let early = bind(config().with_peers([later.clone()])).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!early.stats().peers[0].connected);
    let config = ZmqConfig::new(later, FEDERATION).with_peers([early.local_endpoint()]);
    let late = bind(config).await;
    until("the late one has a subscriber", || late.subscribers() == 1).await;
    send(&late, "hello").await;
    assert_eq!(recv(&early).await, "hello");
    until("the late one subscribes", || early.subscribers() == 1).await;
    send(&early, "welcome").await;
    assert_eq!(recv(&late).await, "welcome");
    assert_eq!(early.stats().reconnects, 0);
}

#[tokio::test]
async fn a_peer_that_restarts_on_its_port_is_found_again() {
    let a = bind(config()).await;
    let reserved = reserve();
    let endpoint = reserved.endpoint.clone();
    let config = || ZmqConfig::new(endpoint.clone(), FEDERATION).with_peers([a.local_endpoint()]);
    let mut b = bind(config()).await;
    a.add_peer(endpoint.clone()).expect("open");
    for life in 0..3 {
        until("both subscribe", || {
            a.subscribers() == 1 && b.subscribers() == 1
        })
        .await;
        send(&a, format!("to life {life}")).await;
        send(&b, format!("of life {life}")).await;
        assert_eq!(recv(&b).await, format!("to life {life}"));
        assert_eq!(recv(&a).await, format!("of life {life}"));
        if life % 2 == 0 {
            b.close().await;
        }
        drop(b);
        until("the disconnect is noticed", || {
            a.subscribers() == 0 && a.stats().peers.iter().all(|peer| !peer.connected)
        })
        .await;
        b = bind(config()).await;
    }
    until("it is found again", || b.subscribers() == 1).await;
    assert_eq!(a.stats().reconnects, 3);
}

#[tokio::test]
async fn a_closed_messenger_frees_its_port() {
    let reserved = reserve();
    let at_reserved = || ZmqConfig::new(reserved.endpoint.clone(), FEDERATION);
    let (a, b) = (bind(at_reserved()).await, bind(config()).await);
    let taken = ZmqMessenger::bind(at_reserved()).await;
    taken.expect_err("the port is in use");
    a.close().await;
    let again = ZmqMessenger::bind(at_reserved()).await;
    again.expect("the port is free");
    let refused = a.add_peer(b.local_endpoint());
    assert!(matches!(refused, Err(ZmqError::Closed)));
    assert!(matches!(a.recv().await, Err(MessengerError::Closed)));
}

#[tokio::test]
async fn a_removed_peer_is_not_received_and_may_be_added_again() {
    let (a, b) = pair().await;
    a.remove_peer(&b.local_endpoint());
    until("the subscription ends", || b.subscribers() == 0).await;
    send(&b, "before").await;
    a.add_peer(b.local_endpoint()).expect("open");
    a.add_peer(b.local_endpoint())
        .expect("adding it twice has no effect");
    until("the subscription is back", || b.subscribers() == 1).await;
    send(&b, "after").await;
    assert_eq!(recv(&a).await, "after");
}

#[tokio::test]
async fn frames_of_another_federation_are_not_received() {
    let a = bind(config()).await;
    let other = FederationId::from_bytes([0xcd; 32]);
    let listen = "127.0.0.1:0".parse().expect("an endpoint");
    let stranger = bind(ZmqConfig::new(listen, other).with_peers([a.local_endpoint()])).await;
    a.add_peer(stranger.local_endpoint()).expect("open");
    until("connected", || {
        a.stats().peers.iter().any(|peer| peer.connected)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((a.subscribers(), stranger.subscribers()), (0, 0));
}

#[tokio::test]
async fn a_messenger_among_its_own_peers_does_not_receive_its_own_frames() {
    let a = bind(config()).await;
    a.add_peer(a.local_endpoint()).expect("open");
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(a.subscribers(), 0);
        send(&a, "echo").await;
    }
    assert_eq!(a.stats().frames_in, 0);
}

#[tokio::test]
async fn names_and_ipv6_addresses_are_reached() {
    let v6 = "[::1]:0".parse().expect("an endpoint");
    let Ok(a) = ZmqMessenger::bind(ZmqConfig::new(v6, FEDERATION)).await else {
        return; // This machine has no IPv6.
    };
    let all = "0.0.0.0:0".parse().expect("an endpoint");
    let b = bind(ZmqConfig::new(all, FEDERATION).with_peers([a.local_endpoint()])).await;
    let name = format!("localhost:{}", b.local_endpoint().port());
    a.add_peer(name.parse().expect("an endpoint"))
        .expect("open");
    until("both subscribe", || {
        a.subscribers() == 1 && b.subscribers() == 1
    })
    .await;
    send(&a, "by address").await;
    assert_eq!(recv(&b).await, "by address");
    send(&b, "by name").await;
    assert_eq!(recv(&a).await, "by name");
}

/// Resolves one name, whose address changes.
#[derive(Debug, Default)]
struct Directory(Mutex<Vec<SocketAddr>>);

impl Directory {
    fn set(&self, to: &ZmqMessenger) {
        let address = to.local_endpoint().to_string().parse();
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *addresses = vec![address.expect("it listens at an address")];
    }
}

#[async_trait]
impl Resolve for Directory {
    async fn resolve(&self, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(endpoint.to_string(), "bob.example:5000");
        let addresses = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such name"));
        }
        Ok(addresses)
    }
}

#[tokio::test]
async fn a_peer_that_moves_is_found_at_its_new_address() {
    let directory = Arc::new(Directory::default());
    let name = "bob.example:5000".parse().expect("an endpoint");
    let a = bind(config().with_resolver(directory.clone()).with_peers([name])).await;
    // At first, the name does not exist.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for life in 0..3 {
        let b = bind(config()).await;
        directory.set(&b);
        until("it is found", || b.subscribers() == 1).await;
        send(&b, format!("of life {life}")).await;
        assert_eq!(recv(&a).await, format!("of life {life}"));
        b.close().await;
    }
    assert_eq!(a.stats().reconnects, 2);
}

#[tokio::test]
async fn peers_may_reach_a_messenger_at_other_endpoints_than_it_listens_on() {
    let all: Endpoint = "[::]:0".parse().expect("an endpoint");
    let Ok(a) = ZmqMessenger::bind(ZmqConfig::new(all, FEDERATION)).await else {
        return; // This machine has no IPv6.
    };
    let port = a.local_endpoint().port();
    for advertised in ["127.0.0.1", "[::1]", "localhost"] {
        let endpoint = format!("{advertised}:{port}").parse().expect("an endpoint");
        let b = bind(config().with_peers([endpoint])).await;
        until("it is reached", || a.subscribers() == 1).await;
        send(&a, advertised).await;
        assert_eq!(recv(&b).await, advertised);
        b.close().await;
        until("it has disconnected", || a.subscribers() == 0).await;
    }
}

#[tokio::test]
async fn an_invalid_configuration_is_refused_with_the_reason() {
    let a = bind(config()).await;
    let taken = ZmqMessenger::bind(ZmqConfig::new(a.local_endpoint(), FEDERATION)).await;
    let error = taken.expect_err("the port is taken");
    assert_eq!(
        error.to_string(),
        format!("cannot listen on `{}`", a.local_endpoint())
    );
    let nowhere: Endpoint = "127.0.0.1:0".parse().expect("an endpoint");
    let refused = ZmqMessenger::bind(config().with_peers([nowhere])).await;
    assert!(matches!(refused, Err(ZmqError::PeerPort { .. })));
}
