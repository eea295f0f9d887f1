//! The sockets with each other and with hostile peers.

use federation_chain::BlockHeight;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// Performs the handshake as a socket of this type, `PUB` or `SUB`, without checking the peer's.
async fn handshake(stream: &mut TcpStream, socket_type: &[u8; 3]) {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    let mut ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03".to_vec();
    ready.extend_from_slice(socket_type);
    stream.write_all(&greeting).await.expect("connected");
    stream.write_all(&ready).await.expect("connected");
    let mut theirs = vec![0; greeting.len() + ready.len()];
    stream.read_exact(&mut theirs).await.expect("a handshake");
}

/// Encodes a message of fewer than 256 bytes.
fn message(body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("short");
    [&[0, length], body].concat()
}

fn proposal(height: u32, size: usize) -> Message {
    Message::Proposal {
        height: BlockHeight::new(height),
        block: vec![7; size].into(),
        reissuances: Vec::new(),
    }
}

/// Returns loopback addresses with ports reserved for this process.
fn nodes(count: usize) -> Vec<String> {
    let port = || federation_ocean_rpc::process::free_port().expect("a port");
    (0..count)
        .map(|_| format!("127.0.0.1:{}", port()))
        .collect()
}

async fn bind(nodes: &[String], me: usize) -> ZmqWire {
    let config = ZmqConfig::new(nodes.to_vec(), me).expect("valid");
    ZmqWire::bind(&config).await.expect("a free port")
}

/// Sends a message until it arrives, since a message sent before the subscription is lost.
async fn arrives(from: &ZmqWire, to: &ZmqWire, message: &Message) -> Arrival {
    let sending = async {
        loop {
            from.publish(message).await.expect("open");
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        arrival = timeout(LIMIT, to.recv()) => arrival.expect("in time").expect("open"),
        () = sending => unreachable!("it never stops sending"),
    }
}

#[tokio::test]
async fn messages_of_all_sizes_arrive_with_their_senders_index() {
    let nodes = nodes(3);
    let (a, c) = (bind(&nodes, 0).await, bind(&nodes, 2).await);
    for size in [0, 100, 100_000, 1_000_000] {
        let message = proposal(size, size as usize);
        loop {
            let arrival = arrives(&a, &c, &message).await;
            assert_eq!(arrival.from, Some(0));
            // Copies of the previous message may still be in transit.
            if arrival.message == message {
                break;
            }
        }
    }
    a.close().await;
    assert_eq!(a.publish(&proposal(1, 1)).await, Err(WireError::Closed));
    assert_eq!(a.recv().await, Err(WireError::Closed));
    // It can listen on the same address again.
    let a = bind(&nodes, 0).await;
    arrives(&a, &c, &proposal(9, 9)).await;
}

#[tokio::test]
async fn garbage_from_an_operator_ends_only_its_connection() {
    let nodes = nodes(3);
    let hostile = TcpListener::bind(&nodes[1]).await.expect("a free port");
    let a = bind(&nodes, 0).await;
    let frames: [&[u8]; 4] = [
        &message(b"10 {\"height\": "),
        &message(b"30 {}"),
        &message(b""),
        // A frame of the largest length that can be announced.
        &[2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    let (mut stream, _) = hostile.accept().await.expect("it connects");
    handshake(&mut stream, b"PUB").await;
    for frame in frames {
        stream.write_all(frame).await.expect("connected");
    }
    let mut rest = Vec::new();
    let ended = timeout(LIMIT, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is closed");
    // It reconnects, and receives valid messages.
    let (mut stream, _) = hostile.accept().await.expect("it connects");
    handshake(&mut stream, b"PUB").await;
    let text = [b"10 ", &proposal(5, 5).to_json()[..]].concat();
    stream.write_all(&message(&text)).await.expect("connected");
    let arrival = timeout(LIMIT, a.recv()).await.expect("in time");
    assert_eq!(arrival.expect("open").message, proposal(5, 5));
}

#[tokio::test]
async fn a_subscriber_that_sends_garbage_or_never_reads_delays_nobody() {
    let nodes = nodes(2);
    let (a, b) = (bind(&nodes, 0).await, bind(&nodes, 1).await);
    let mut garbage = TcpStream::connect(&nodes[0]).await.expect("connected");
    garbage.write_all(&[0x55; 200]).await.expect("sent");
    let mut idle = TcpStream::connect(&nodes[0]).await.expect("connected");
    handshake(&mut idle, b"SUB").await;
    idle.write_all(&message(b"\x0110")).await.expect("sent");
    for height in 0..12 {
        let message = proposal(height, 500_000);
        while arrives(&a, &b, &message).await.message != message {}
    }
}

#[test]
fn invalid_lists_of_operators_are_refused() {
    for node in [
        "",
        "host",
        "host:",
        ":1",
        "host:99999",
        "::1:5",
        "tcp://host:5",
    ] {
        assert!(matches!(
            ZmqConfig::new(["a:1", node], 0),
            Err(WireError::Endpoint(_))
        ));
    }
    assert!(ZmqConfig::new(["a:1", "[::1]:5", "192.0.2.1:65535"], 2).is_ok());
    assert_eq!(
        ZmqConfig::new(["a:1"], 1).map(|config| config.operators()),
        Err(WireError::Index {
            me: 1,
            operators: 1
        })
    );
}
