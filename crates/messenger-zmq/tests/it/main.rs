//! Tests of the messenger over loopback sockets.

mod api;
mod hostile;
mod interop;
mod libzmq;
mod nat;
mod peers;
mod unicast;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{Messenger, Peer, contract};
use federation_messenger_zmq::{Endpoint, ZmqConfig, ZmqMessenger};
use federation_roster::{FederationId, OperatorId};

const FEDERATION: FederationId = FederationId::from_bytes([0xab; 32]);

fn config() -> ZmqConfig {
    ZmqConfig::new("127.0.0.1:0".parse().expect("an endpoint"), FEDERATION)
}

async fn bind(config: ZmqConfig) -> ZmqMessenger {
    ZmqMessenger::bind(config).await.expect("a free port")
}

/// Starts two messengers that receive from each other.
async fn pair() -> (ZmqMessenger, ZmqMessenger) {
    pair_of(config()).await
}

async fn pair_of(config: ZmqConfig) -> (ZmqMessenger, ZmqMessenger) {
    let (a, b) = (bind(config.clone()).await, bind(config).await);
    a.add_peer(b.local_endpoint()).expect("open");
    b.add_peer(a.local_endpoint()).expect("open");
    until("both subscribe", || {
        a.subscribers() == 1 && b.subscribers() == 1
    })
    .await;
    (a, b)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .is_err()
    {
        panic!("timed out: {what}");
    }
}

async fn recv(messenger: &ZmqMessenger) -> Bytes {
    tokio::time::timeout(Duration::from_secs(20), messenger.recv())
        .await
        .expect("a frame in time")
        .expect("open")
}

async fn send(messenger: &ZmqMessenger, frame: impl Into<Bytes>) {
    messenger.broadcast(frame.into()).await.expect("open");
}

struct Loopback;

#[async_trait]
impl contract::Cluster for Loopback {
    type Messenger = ZmqMessenger;
    type Network = ();

    async fn start(&self, size: u8) -> ((), Vec<ZmqMessenger>) {
        let mut members = Vec::new();
        for _ in 0..size {
            let newcomer = self.join(&(), &members).await;
            members.push(newcomer);
        }
        ((), members)
    }

    async fn join(&self, (): &(), running: &[ZmqMessenger]) -> ZmqMessenger {
        let id = |index: usize| OperatorId::new(u8::try_from(index).expect("a small cluster"));
        let others = running.iter().enumerate();
        let others = others.map(|(index, other)| (id(index), other.local_endpoint()));
        let me = id(running.len());
        let newcomer = bind(config().with_operator(me).with_operators(others)).await;
        for member in running {
            let endpoint = newcomer.local_endpoint();
            member.add_operator(me, endpoint).expect("open");
        }
        // Until all are connected to each other's endpoints, a frame may arrive over two connections.
        let reaches_all = |member: &ZmqMessenger, all: usize| {
            let peers = member.stats().peers;
            let has_callers = peers
                .iter()
                .any(|peer| matches!(peer.peer, Peer::Operator(_)));
            let connected = peers.iter().filter(|peer| peer.connected).count();
            !has_callers && connected == 2 * all
        };
        until("all are connected to each other", || {
            let all = running.len();
            reaches_all(&newcomer, all) && running.iter().all(|member| reaches_all(member, all))
        })
        .await;
        newcomer
    }
}

#[tokio::test]
async fn passes_the_contract() {
    contract::run(&Loopback).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_contract_on_two_threads() {
    contract::run(&Loopback).await;
}

/// A port reserved for a messenger of the test, before it listens and between restarts.
struct Reserved {
    _socket: tokio::net::TcpSocket,
    endpoint: Endpoint,
}

/// Reserves a port where nothing listens until a messenger of the test does.
fn reserve() -> Reserved {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    // Nobody else gets the port; with the option set after binding, a listener of the test does.
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    socket.set_reuseaddr(true).expect("a socket");
    let endpoint = socket.local_addr().expect("bound").into();
    Reserved {
        _socket: socket,
        endpoint,
    }
}
