//! Tests of what is accepted and refused, and of the connection over an in-memory stream.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{
    frame::{COMMAND, Decoder, LONG, MAX_COMMAND, MORE, Received, State, pong, put_frame},
    handshake::{GREETING, check_greeting, greeting, read_ready, ready},
    *,
};

const LIMITS: Limits = Limits {
    message: 1000,
    parts: 3,
    total: 1_000_000,
};

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    put_frame(&mut bytes, flags, body);
    bytes.to_vec()
}

/// Decodes all of these bytes.
fn decode_with(decoder: &mut Decoder, mut bytes: &[u8]) -> Result<Vec<Received>, ZmtpError> {
    let mut all = Vec::new();
    while let Some(received) = decoder.decode(&mut bytes)? {
        all.push(received);
    }
    Ok(all)
}

fn decode(bytes: &[u8]) -> Result<Vec<Received>, ZmtpError> {
    decode_with(&mut Decoder::new(LIMITS), bytes)
}

#[test]
fn heartbeats_do_not_use_up_the_limit_of_a_connection() {
    let limits = Limits {
        total: 2000,
        ..LIMITS
    };
    let mut decoder = Decoder::new(limits);
    let mut receive = |bytes: &[u8]| {
        decoder.count(bytes.len())?;
        decode_with(&mut decoder, bytes)
    };
    let short = b"\x04PING\x00\x01".to_vec();
    let long = [short.as_slice(), &[b'x'; 1000]].concat();
    for _ in 0..10_000 {
        for ping in [frame(COMMAND, &short), frame(COMMAND, &long)] {
            assert_eq!(receive(&ping).expect("a command").len(), 1);
        }
    }
    // Messages count as before.
    receive(&frame(COMMAND, b"\x05ERROR")).expect("a command");
    receive(&frame(0, &[0; 980])).expect("the first thousand bytes");
    receive(&frame(0, &[0; 980])).expect("the second thousand");
    let third = receive(&frame(0, &[0; 980]));
    assert!(matches!(third, Err(ZmtpError::Total(2000))), "{third:?}");
}

#[test]
fn a_peer_that_does_not_speak_zmtp_3_is_refused_at_its_first_wrong_byte() {
    assert!(matches!(check_greeting(b"G"), Err(ZmtpError::Greeting)));
    assert!(matches!(
        check_greeting(b"\x16\x03\x01"),
        Err(ZmtpError::Greeting)
    ));
    let mut wrong = greeting();
    wrong[9] = 0;
    assert!(matches!(check_greeting(&wrong[..9]), Ok(())));
    assert!(matches!(
        check_greeting(&wrong[..10]),
        Err(ZmtpError::Greeting)
    ));
    let mut other = greeting();
    other[10] = 1;
    assert!(matches!(check_greeting(&other), Err(ZmtpError::Greeting)));
    other[10] = 4;
    assert!(matches!(check_greeting(&other), Ok(())));
    other[12..17].copy_from_slice(b"CURVE");
    assert!(matches!(check_greeting(&other), Err(ZmtpError::Mechanism)));
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_body_arrives() {
    for length in [1001, 1 << 20, 1 << 40, u64::MAX >> 1, u64::MAX] {
        let header = [&[LONG][..], &length.to_be_bytes()].concat();
        assert!(matches!(decode(&header[..8]), Ok(received) if received.is_empty()));
        assert!(matches!(decode(&header), Err(ZmtpError::Message(l)) if l == length));
        let header = [&[LONG | COMMAND][..], &length.to_be_bytes()].concat();
        let decoded = decode(&header);
        assert_eq!(
            matches!(decoded, Err(ZmtpError::Command(_))),
            length > MAX_COMMAND,
            "{decoded:?}"
        );
    }
}

#[test]
fn the_parts_of_a_message_count_together() {
    let part = frame(MORE, &[0; 400]);
    let two = [&part[..], &part].concat();
    assert!(decode(&[&two[..], &frame(0, &[0; 200])].concat()).is_ok());
    assert!(matches!(
        decode(&[&two[..], &frame(0, &[0; 201])].concat()),
        Err(ZmtpError::Message(1001))
    ));
    let empty = frame(MORE, b"");
    assert!(decode(&empty.repeat(3)).is_ok());
    assert!(matches!(decode(&empty.repeat(4)), Err(ZmtpError::Parts(3))));
    // The end of a message resets the count.
    let whole = [&two[..], &frame(0, b"")].concat();
    assert_eq!(
        decode(&whole.repeat(20)).expect("within the limits").len(),
        20
    );
}

#[test]
fn unknown_flags_are_refused() {
    for bad in [8, 16, 32, 64, 128, 0xff, COMMAND | MORE] {
        assert!(matches!(decode(&[bad]), Err(ZmtpError::Flags(f)) if f == bad));
    }
}

#[test]
fn a_complete_body_holds_no_more_memory_than_it_has_bytes() {
    let mut decoder = Decoder::new(Limits {
        message: 1 << 20,
        ..LIMITS
    });
    let bytes = frame(0, &vec![7; 200_000]);
    let mut received = Vec::new();
    for chunk in bytes.chunks(1 << 16) {
        received.extend(decode_with(&mut decoder, chunk).expect("within the limits"));
    }
    let [Received::Message(parts)] = &received[..] else {
        panic!("{received:?}");
    };
    let body = parts[0].clone();
    drop(received);
    let body = Vec::from(body);
    assert_eq!((body.len(), body.capacity()), (200_000, 200_000));
}

#[test]
fn a_heartbeat_is_answered_with_its_context() {
    assert_eq!(
        pong(b"\x04PING\x00\x0acontext").as_deref(),
        Some(&b"\x04PONGcontext"[..])
    );
    assert_eq!(pong(b"\x04PONGcontext"), None);
    assert_eq!(pong(b"\x04PING"), None);
}

fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).expect("short");
    let name_length = u8::try_from(name.len()).expect("short");
    [
        &[name_length],
        name.as_bytes(),
        &length.to_be_bytes(),
        value,
    ]
    .concat()
}

fn command(properties: &[Vec<u8>]) -> Vec<u8> {
    [b"\x05READY".to_vec(), properties.concat()].concat()
}

#[test]
fn a_ready_is_read_as_it_is_written() {
    for socket_type in [
        SocketType::Pub,
        SocketType::Sub,
        SocketType::XPub,
        SocketType::XSub,
    ] {
        for identity in [&b""[..], b"operator-3"] {
            let peer = read_ready(&ready(socket_type, identity)).expect("our own");
            assert_eq!(
                (peer.socket_type, &peer.identity[..]),
                (socket_type, identity)
            );
        }
    }
    let peer = read_ready(&command(&[
        property("identity", b"operator-3"),
        property("socket-type", b"PUB"),
        property("X-Other", b""),
    ]));
    let peer = peer.expect("property names ignore case");
    assert_eq!(peer.socket_type, SocketType::Pub);
    assert_eq!(peer.identity, b"operator-3");
}

#[test]
fn a_malformed_ready_or_an_unsuitable_socket_type_is_refused() {
    for body in [
        command(&[property("Socket-Type", b"REQ")]),
        command(&[property("Identity", b"x")]),
        command(&[]),
        command(&[property("Socket-Type", b"SUB"), vec![200, 1]]),
        command(&[b"\x0bSocket-Type\xff\xff\xff\xffSUB".to_vec()]),
        b"abc".to_vec(),
        b"".to_vec(),
    ] {
        let refused = read_ready(&body);
        assert!(matches!(refused, Err(ZmtpError::Ready)), "{body:?}");
    }
}

/// A connection and the raw stream at its other end.
fn connection(limits: Limits) -> (Connection<DuplexStream>, DuplexStream) {
    let (here, there) = duplex(1 << 16);
    (Connection::new(here, limits, Duration::from_secs(5)), there)
}

/// A connection after its handshake as a subscriber, and the publisher's raw stream.
async fn subscriber(limits: Limits) -> (Connection<DuplexStream>, DuplexStream) {
    let (mut connection, mut peer) = connection(limits);
    let hello = [
        &greeting()[..],
        &frame(COMMAND, &ready(SocketType::Pub, b"")),
    ]
    .concat();
    peer.write_all(&hello).await.expect("it fits");
    let found = connection.handshake(SocketType::Sub, b"").await;
    assert_eq!(found.expect("a publisher").socket_type, SocketType::Pub);
    let mut ours = vec![0; GREETING + 2 + ready(SocketType::Sub, b"").len()];
    peer.read_exact(&mut ours).await.expect("its handshake");
    (connection, peer)
}

#[tokio::test]
async fn publishers_and_subscribers_accept_each_other_and_nothing_else() {
    use SocketType::{Pub, Sub, XPub, XSub};
    for (one, other, fit) in [
        (Pub, Sub, true),
        (Pub, XSub, true),
        (XPub, Sub, true),
        (Sub, Sub, false),
        (Sub, XSub, false),
        (Pub, XPub, false),
    ] {
        let (here, there) = duplex(1024);
        let [mut here, mut there] =
            [here, there].map(|stream| Connection::new(stream, LIMITS, Duration::from_secs(5)));
        let (one, other) = tokio::join!(here.handshake(one, b""), there.handshake(other, b""));
        assert_eq!((one.is_ok(), other.is_ok()), (fit, fit));
    }
}

#[tokio::test]
async fn a_listener_learns_who_connects_before_it_introduces_itself() {
    let (mut listener, mut peer) = connection(LIMITS);
    let hello = [
        &greeting()[..],
        &frame(COMMAND, &ready(SocketType::Pub, b"operator-3")),
        &frame(0, b"early"),
    ]
    .concat();
    peer.write_all(&hello).await.expect("it fits");
    let found = listener.accept().await.expect("a publisher");
    assert_eq!(found.socket_type, SocketType::Pub);
    assert_eq!(found.identity, b"operator-3");
    listener.ready(SocketType::Sub, b"").await.expect("open");
    assert_eq!(listener.recv().await.expect("open"), ["early"]);
}

#[tokio::test]
async fn a_message_instead_of_a_ready_is_refused() {
    let (mut listener, mut peer) = connection(LIMITS);
    let hello = [&greeting()[..], &frame(0, b"abc")].concat();
    peer.write_all(&hello).await.expect("it fits");
    let refused = listener.accept().await;
    assert!(matches!(refused, Err(ZmtpError::Ready)), "{refused:?}");
}

#[tokio::test]
async fn heartbeats_are_answered_and_other_commands_ignored() {
    let (mut connection, mut peer) = subscriber(LIMITS).await;
    let sent = [
        frame(COMMAND, b"\x04PING\x00\x0aabc"),
        frame(COMMAND, b"\x05OTHER"),
        frame(0, b"message"),
    ]
    .concat();
    peer.write_all(&sent).await.expect("it fits");
    assert_eq!(connection.recv().await.expect("open"), ["message"]);
    let expected = frame(COMMAND, b"\x04PONGabc");
    let mut answer = vec![0; expected.len()];
    peer.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_dropped_recv_loses_no_byte() {
    let (mut connection, mut peer) = subscriber(LIMITS).await;
    let bytes = [frame(MORE, b"first"), frame(0, &[7; 300])].concat();
    for byte in &bytes {
        let pending = tokio::time::timeout(Duration::ZERO, connection.recv()).await;
        assert!(pending.is_err(), "{pending:?}");
        peer.write_all(&[*byte]).await.expect("it fits");
    }
    let message = connection.recv().await.expect("open");
    assert_eq!(message, [Bytes::from_static(b"first"), vec![7; 300].into()]);
}

#[tokio::test]
async fn a_connection_has_a_total_and_an_end() {
    let hello = GREETING + frame(COMMAND, &ready(SocketType::Pub, b"")).len();
    let limits = Limits {
        total: hello as u64 + 200,
        ..LIMITS
    };
    let (mut connection, mut peer) = subscriber(limits).await;
    peer.write_all(&frame(0, &[1; 190])).await.expect("it fits");
    connection.recv().await.expect("within the total");
    peer.write_all(&frame(0, &[1; 10])).await.expect("it fits");
    let refused = connection.recv().await;
    assert!(matches!(refused, Err(ZmtpError::Total(_))), "{refused:?}");
    let (mut connection, peer) = subscriber(LIMITS).await;
    drop(peer);
    let ended = connection.recv().await;
    assert!(matches!(ended, Err(ZmtpError::Closed)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_stalls_the_connection() {
    let (here, _there) = duplex(100);
    let mut connection = Connection::new(here, LIMITS, Duration::from_secs(5));
    let stalled = connection.send(&[[0; 1000]]).await;
    assert!(matches!(stalled, Err(ZmtpError::Stalled(_))), "{stalled:?}");
}

proptest! {
    /// Valid messages are decoded the same however their bytes are divided into chunks.
    #[test]
    fn messages_are_decoded_from_any_chunks(
        messages in prop::collection::vec(prop::collection::vec(0usize..330, 1..=3), 0..10),
        cuts in prop::collection::vec(1usize..100, 1..50),
    ) {
        let mut bytes = frame(COMMAND, b"\x05READY");
        let mut expected = vec![Received::Command(Bytes::from_static(b"\x05READY"))];
        for parts in &messages {
            for (index, part) in parts.iter().enumerate() {
                let more = if index + 1 < parts.len() { MORE } else { 0 };
                bytes.extend(frame(more, &vec![7; *part]));
            }
            let parts = parts.iter().map(|part| vec![7; *part].into());
            expected.push(Received::Message(parts.collect()));
        }
        let mut decoder = Decoder::new(LIMITS);
        let mut rest = &bytes[..];
        let mut received = Vec::new();
        for cut in cuts.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*cut));
            received.extend(decode_with(&mut decoder, chunk).expect("within the limits"));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(received, expected);
        prop_assert_eq!(decoder.state(), State::Flags);
    }

    /// Chunks change nothing about what is refused, and nothing panics.
    #[test]
    fn any_bytes_are_judged_the_same_in_any_chunks(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cut in 1usize..50,
    ) {
        let at_once = decode(&bytes).map(drop).map_err(|error| error.to_string());
        let mut decoder = Decoder::new(LIMITS);
        let in_chunks = bytes
            .chunks(cut)
            .try_for_each(|chunk| decode_with(&mut decoder, chunk).map(drop))
            .map_err(|error| error.to_string());
        prop_assert_eq!(at_once, in_chunks);
    }

    #[test]
    fn no_bytes_make_the_handshake_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = check_greeting(&bytes);
        let _ = read_ready(&bytes);
        let _ = read_ready(&[b"\x05READY", &bytes[..]].concat());
    }
}
