//! Peers and strangers that mean harm, or are broken.

use std::time::Instant;

use federation_messenger::QueueLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

pub(super) fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

fn ready(socket_type: &[u8; 3]) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03".to_vec();
    body.extend_from_slice(socket_type);
    let mut frame = vec![4, body.len() as u8];
    frame.extend(body);
    frame
}

pub(super) fn topic() -> String {
    format!("federation/1/{FEDERATION}")
}

fn subscribe() -> Vec<u8> {
    let topic = topic();
    let mut frame = vec![0, topic.len() as u8 + 1, 1];
    frame.extend_from_slice(topic.as_bytes());
    frame
}

async fn connect(to: &ZmqMessenger) -> TcpStream {
    let endpoint = to.local_endpoint();
    TcpStream::connect((endpoint.host(), endpoint.port()))
        .await
        .expect("it listens")
}

/// Whether the other side hangs up soon, whatever it says before.
pub(super) async fn hangs_up(stream: &mut TcpStream) -> bool {
    let mut sink = vec![0; 65_536];
    let reading = async { while !matches!(stream.read(&mut sink).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .is_ok()
}

/// The two still hear each other.
async fn all_is_well(a: &ZmqMessenger, b: &ZmqMessenger) {
    send(a, "ping").await;
    assert_eq!(recv(b).await, "ping");
    send(b, "pong").await;
    assert_eq!(recv(a).await, "pong");
}

/// What no honest peer sends; each with a frame length that would take all memory.
fn attacks() -> Vec<Vec<u8>> {
    let huge = |flags: u8, length: u64| [&[flags][..], &length.to_be_bytes()].concat();
    vec![
        b"GET / HTTP/1.1\r\nHost: operator\r\n\r\n".to_vec(),
        vec![0; 1000],
        vec![0xff; 1000],
        [&greeting()[..], &huge(6, 1 << 40)].concat(),
        [&greeting()[..], &huge(2, u64::MAX >> 1)].concat(),
        [&greeting()[..], &huge(2, u64::MAX)].concat(),
        [&greeting()[..], &ready(b"SUB"), &huge(2, 1 << 46)].concat(),
        [&greeting()[..], &ready(b"PUB"), &huge(3, 1 << 46)].concat(),
        [&greeting()[..], &ready(b"REQ")].concat(),
        [&greeting()[..], b"\x04\x03abc"].concat(),
        [&greeting()[..], &ready(b"SUB"), &subscribe().repeat(2000)].concat(),
        [&greeting()[..], &ready(b"PUB"), &b"\x01\x00".repeat(100)].concat(),
    ]
}

#[tokio::test]
async fn garbage_sent_to_the_port_ends_that_connection_only() {
    let (a, b) = pair().await;
    for attack in attacks() {
        let mut stream = connect(&a).await;
        // It may hang up while we still send.
        let _ = stream.write_all(&attack).await;
        assert!(hangs_up(&mut stream).await, "{:?}", &attack[..20]);
        all_is_well(&a, &b).await;
    }
}

#[tokio::test]
async fn a_peer_that_answers_garbage_is_given_up_and_tried_again() {
    let retry = Duration::from_millis(10);
    let (a, b) = pair_of(config().with_retry(retry, retry)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    a.add_peer(address.into()).expect("open");
    for attack in attacks() {
        let (mut stream, _) = listener.accept().await.expect("it connects again");
        let _ = stream.write_all(&attack).await;
        assert!(hangs_up(&mut stream).await, "{:?}", &attack[..20]);
        all_is_well(&a, &b).await;
    }
}

#[tokio::test]
async fn messages_under_our_topic_that_are_none_of_ours_are_counted_and_dropped() {
    let (a, b) = pair().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    a.add_peer(listener.local_addr().expect("bound").into())
        .expect("open");
    let (mut stream, _) = listener.accept().await.expect("it connects");
    let topic = topic();
    let part = |more: u8, body: &[u8]| [&[more, body.len() as u8][..], body].concat();
    let odd: [Vec<u8>; 3] = [
        part(0, topic.as_bytes()),
        [
            part(1, topic.as_bytes()),
            part(1, b"piece"),
            part(0, b"no mark"),
        ]
        .concat(),
        [
            part(1, topic.as_bytes()),
            part(1, b"piece"),
            part(0, &[0xff; 8]),
        ]
        .concat(),
    ];
    let good = [part(1, topic.as_bytes()), part(0, b"good")].concat();
    let sent = [greeting(), ready(b"PUB"), odd.concat(), good].concat();
    stream.write_all(&sent).await.expect("it reads");
    assert_eq!(recv(&a).await, "good");
    assert_eq!(a.stats().dropped_in, 3);
    all_is_well(&a, &b).await;
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed_in_time() {
    let timeout = Duration::from_millis(200);
    let a = bind(config().with_handshake_timeout(timeout)).await;
    for said in [vec![], greeting(), [greeting(), ready(b"SUB")].concat()] {
        let mut stream = connect(&a).await;
        stream.write_all(&said).await.expect("it reads");
        let started = Instant::now();
        assert!(hangs_up(&mut stream).await);
        assert!(started.elapsed() < Duration::from_secs(3));
    }
    until("their places are given up", || a.stats().peers.is_empty()).await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_tried_again() {
    let timeout = Duration::from_millis(100);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let config = config().with_handshake_timeout(timeout);
    let _a = bind(config.with_peers([address.into()])).await;
    for _ in 0..3 {
        let (mut stream, _) = listener.accept().await.expect("it connects again");
        assert!(hangs_up(&mut stream).await);
    }
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_is_bounded_and_given_up() {
    let limits = QueueLimits::new(100, 2_000_000);
    let a = bind(
        config()
            .with_queue_limits(limits)
            .with_stall_timeout(Duration::from_secs(2)),
    )
    .await;
    let mut stream = connect(&a).await;
    let said = [greeting(), ready(b"SUB"), subscribe()].concat();
    stream.write_all(&said).await.expect("it reads");
    until("it subscribes", || a.subscribers() == 1).await;
    let frame = Bytes::from(vec![1; 1_000_000]);
    let mut sent = 0;
    // Far more than the kernel's buffers and the queue hold.
    for _ in 0..200 {
        send(&a, frame.clone()).await;
        sent += 1;
        tokio::task::yield_now().await;
    }
    let stats = a.stats();
    assert_eq!(stats.frames_out, sent);
    assert!(stats.dropped_out > 100, "{stats:?}");
    until("it is given up", || a.subscribers() == 0).await;
    assert_eq!(a.stats().frames_out, sent, "its counters are kept");
}

#[tokio::test]
async fn strangers_take_half_of_the_places_only() {
    // Peers come from 127.0.0.1, strangers from 127.0.0.2: both are this machine.
    let a = bind(config().with_max_connections(4)).await;
    let port = a.local_endpoint().port();
    let stranger = || async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.2:0".parse().expect("an address"))?;
        let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
        let said = [greeting(), ready(b"SUB"), subscribe()].concat();
        stream.write_all(&said).await?;
        Ok::<_, std::io::Error>(stream)
    };
    let b = bind(config()).await;
    a.add_peer(b.local_endpoint()).expect("open");
    until("the peer is known", || b.subscribers() == 1).await;
    let Ok(first) = stranger().await else {
        return; // Not on this system.
    };
    let second = stranger().await.expect("as the first");
    until("two strangers subscribe", || a.subscribers() == 2).await;
    let mut third = stranger().await.expect("it listens");
    assert!(hangs_up(&mut third).await);
    b.add_peer(a.local_endpoint()).expect("open");
    until("the peer has its place", || a.subscribers() == 3).await;
    drop((first, second));
    until("places are given up", || a.subscribers() == 1).await;
    all_is_well(&a, &b).await;
}

#[tokio::test]
async fn one_strangers_address_has_few_places_and_others_theirs() {
    let a = bind(config().with_max_connections(12).with_max_per_address(2)).await;
    let port = a.local_endpoint().port();
    let stranger = |from: &'static str| async move {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(from.parse().expect("an address"))?;
        let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
        let said = [greeting(), ready(b"SUB"), subscribe()].concat();
        // It may hang up while we still send.
        let _ = stream.write_all(&said).await;
        Ok::<_, std::io::Error>(stream)
    };
    let Ok(_first) = stranger("127.0.0.2:0").await else {
        return; // Not on this system.
    };
    let _second = stranger("127.0.0.2:0").await.expect("as the first");
    until("both have places", || a.subscribers() == 2).await;
    for _ in 0..3 {
        let mut more = stranger("127.0.0.2:0").await.expect("it listens");
        assert!(hangs_up(&mut more).await);
    }
    let _other = stranger("127.0.0.3:0").await.expect("it listens");
    until("another address has a place", || a.subscribers() == 3).await;
}

/// One message of these parts, each of fewer than 256 bytes.
pub(super) fn message(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let more = u8::from(place + 1 < parts.len());
        bytes.extend([more, part.len() as u8]);
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A peer by its endpoint who plays by ZeroMQ's rules and by none of ours. Nothing about a sender is
/// proven here: what is forged or repeated is passed on, and refused by whoever checks the envelope
/// inside. It must cost the other peers nothing.
#[tokio::test]
async fn a_peer_that_forges_repeats_and_floods_costs_the_others_nothing() {
    let limits = QueueLimits::new(100, 1_000_000);
    let (a, b) = pair_of(config().with_queue_limits(limits)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    a.add_peer(listener.local_addr().expect("bound").into())
        .expect("open");
    let (mut stream, _) = listener.accept().await.expect("it connects");
    let (topic, theirs) = (topic(), topic().replace("ab", "cd"));
    let start = [greeting(), ready(b"PUB")].concat();
    stream.write_all(&start).await.expect("it reads");
    // Another federation's, which was not asked for.
    let foreign = message(&[theirs.as_bytes(), b"theirs"]);
    // A frame larger than any, in as many pieces as it likes: its first is refused.
    let mark = [u32::MAX.to_le_bytes(), [0; 4]].concat();
    let oversized = message(&[topic.as_bytes(), &[0; 200], &mark]);
    // What somebody else said yesterday, over and over.
    let repeated = message(&[topic.as_bytes(), b"of yesterday"]);
    stream.write_all(&foreign).await.expect("it reads");
    stream
        .write_all(&oversized.repeat(50))
        .await
        .expect("it reads");
    for _ in 0..100 {
        stream
            .write_all(&repeated.repeat(100))
            .await
            .expect("it reads");
        send(&b, "calm").await;
    }
    let came = |place: usize| a.stats().peers[place].frames_in;
    until("all of it has come", || came(0) + came(1) == 10_100).await;
    let mut calm = 0;
    for _ in 0..200 {
        calm += u32::from(recv(&a).await == "calm");
    }
    assert_eq!(calm, 100);
    assert_eq!(a.stats().dropped_in, 1 + 50 + 9_900);
    all_is_well(&a, &b).await;
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_holds_up_nobody() {
    let (a, b) = pair_of(config().with_max_per_address(9)).await;
    let mut sleepers = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(&a).await;
        let said = [greeting(), ready(b"SUB"), subscribe()].concat();
        stream.write_all(&said).await.expect("it reads");
        sleepers.push(stream);
    }
    until("they subscribe", || a.subscribers() == 9).await;
    // Ten times what the kernel's buffers and a queue take.
    for serial in 0..200_u32 {
        let frame = [&serial.to_le_bytes()[..], &vec![0; 1_000_000]].concat();
        send(&a, frame.clone()).await;
        assert!(recv(&b).await == frame, "frame {serial}");
    }
    let stats = a.stats();
    let dropped: Vec<_> = stats.peers.iter().map(|peer| peer.dropped_out).collect();
    let sleeping = dropped.iter().filter(|dropped| **dropped > 100).count();
    assert_eq!(sleeping, 8, "{dropped:?}");
    assert_eq!(dropped.iter().filter(|dropped| **dropped == 0).count(), 2);
    drop(sleepers);
}
