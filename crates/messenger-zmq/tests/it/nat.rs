//! Operators that cannot be reached at their endpoints, and impostors of such operators.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{
    hostile::{greeting, hangs_up, message, topic},
    *,
};

const A: OperatorId = OperatorId::new(0);
const B: OperatorId = OperatorId::new(1);

async fn operator(me: OperatorId, others: &[(OperatorId, Endpoint)]) -> ZmqMessenger {
    let config = config().with_operator(me);
    bind(config.with_operators(others.iter().cloned())).await
}

async fn receives_from_caller(messenger: &ZmqMessenger, what: &str) {
    until(what, || {
        let peers = messenger.stats().peers;
        peers
            .iter()
            .any(|peer| peer.connected && peer.peer == Peer::Operator(A))
    })
    .await;
}

/// Checks that frames pass in both directions, each once.
async fn each_receives_every_frame_once(a: &ZmqMessenger, b: &ZmqMessenger) {
    for serial in 0..20 {
        send(a, format!("a {serial}")).await;
        assert_eq!(recv(b).await, format!("a {serial}"));
        b.send_to(A, format!("b {serial}").into())
            .await
            .expect("open");
        assert_eq!(recv(a).await, format!("b {serial}"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let large = Bytes::from(vec![7; 3_000_000]);
    a.send_to(B, large.clone()).await.expect("open");
    assert!(recv(b).await == large);
    for messenger in [a, b] {
        let more = tokio::time::timeout(Duration::from_millis(50), messenger.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test]
async fn an_unreachable_operator_is_received_over_a_connection_it_makes() {
    let gone = reserve();
    let b = operator(B, &[(A, gone.endpoint.clone())]).await;
    let a = operator(A, &[(B, b.local_endpoint())]).await;
    receives_from_caller(&b, "the offer is taken").await;
    until("both are subscribed", || {
        (a.subscribers(), b.subscribers()) == (1, 1)
    })
    .await;
    each_receives_every_frame_once(&a, &b).await;
}

#[tokio::test]
async fn no_frame_is_sent_twice_when_both_sides_are_reachable() {
    let b = operator(B, &[]).await;
    let a = operator(A, &[(B, b.local_endpoint())]).await;
    b.add_operator(A, a.local_endpoint()).expect("open");
    until("both are connected to the other's endpoint", || {
        let is_connected = |messenger: &ZmqMessenger, other: &ZmqMessenger| {
            let other = Peer::Address(other.local_endpoint().to_string().into());
            let peers = messenger.stats().peers;
            peers
                .iter()
                .any(|peer| peer.connected && peer.peer == other)
        };
        is_connected(&a, &b) && is_connected(&b, &a) && (a.subscribers(), b.subscribers()) == (1, 1)
    })
    .await;
    let (sent, received) = (a.stats(), b.stats());
    // This takes longer than an offer.
    each_receives_every_frame_once(&a, &b).await;
    assert_eq!(a.stats().frames_out, sent.frames_out + 21);
    assert_eq!(b.stats().frames_in, received.frames_in + 21);
}

/// Forwards connections to a messenger until the task is aborted, which closes them.
async fn forward_to(messenger: &ZmqMessenger) -> (Endpoint, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = listener.local_addr().expect("bound").into();
    let to = messenger.local_endpoint();
    let forwarding = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let to = to.clone();
            connections.spawn(async move {
                if let Ok(mut far) = TcpStream::connect((to.host(), to.port())).await {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    (endpoint, forwarding)
}

#[tokio::test]
async fn a_lost_connection_is_replaced_by_the_offered_one() {
    let b = operator(B, &[]).await;
    let a = operator(A, &[(B, b.local_endpoint())]).await;
    let (endpoint, forwarding) = forward_to(&a).await;
    b.add_operator(A, endpoint).expect("open");
    until("both are subscribed", || {
        a.subscribers() >= 1 && b.subscribers() == 1
    })
    .await;
    forwarding.abort();
    receives_from_caller(&b, "the offer is taken").await;
    until("the loss is noticed", || a.subscribers() == 1).await;
    each_receives_every_frame_once(&a, &b).await;
}

/// Connects as a publisher with this identity.
async fn call(to: &ZmqMessenger, identity: &str) -> TcpStream {
    let endpoint = to.local_endpoint();
    let mut stream = TcpStream::connect((endpoint.host(), endpoint.port()))
        .await
        .expect("it listens");
    let length = u8::try_from(identity.len()).expect("short");
    let body = [
        b"\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB\x08Identity\x00\x00\x00",
        &[length][..],
        identity.as_bytes(),
    ]
    .concat();
    let command = [&[4, u8::try_from(body.len()).expect("short")], &body[..]].concat();
    let said = [greeting(), command].concat();
    // It may hang up while we still send.
    let _ = stream.write_all(&said).await;
    stream
}

/// Waits until the messenger has sent a subscription to this topic.
async fn subscribes_to(stream: &mut TcpStream, topic: &str) {
    let mut received = Vec::new();
    let reading = async {
        let wanted = [&[1], topic.as_bytes()].concat();
        while !received.windows(wanted.len()).any(|part| part == wanted) {
            let read = stream.read_buf(&mut received).await.expect("it is open");
            assert!(read > 0, "it hung up");
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .expect("in time");
}

#[tokio::test]
async fn publishers_that_are_no_known_operator_are_refused() {
    let gone = reserve();
    let b = operator(B, &[(A, gone.endpoint.clone())]).await;
    for identity in ["operator-7", "operator-00", "alice", ""] {
        let mut stream = call(&b, identity).await;
        assert!(hangs_up(&mut stream).await, "{identity}");
    }
    let nameless = bind(config()).await;
    let mut stream = call(&nameless, "operator-0").await;
    assert!(hangs_up(&mut stream).await);
}

#[tokio::test]
async fn an_impostor_of_a_connected_operator_is_ignored() {
    let a = operator(A, &[]).await;
    let b = operator(B, &[(A, a.local_endpoint())]).await;
    until("b is subscribed", || a.subscribers() == 1).await;
    let mut impostor = call(&b, "operator-0").await;
    // It receives our name and no other subscription.
    subscribes_to(&mut impostor, &topic().replace("/1/", "/1/operator-1/")).await;
    let forged = message(&[topic().as_bytes(), b"forged"]);
    impostor
        .write_all(&forged.repeat(100))
        .await
        .expect("it reads");
    until("it is dropped", || b.stats().dropped_in == 100).await;
    send(&a, "true").await;
    assert_eq!(recv(&b).await, "true");
}

#[tokio::test]
async fn few_callers_may_claim_one_operator_and_they_do_not_drown_each_other() {
    let gone = reserve();
    let b = operator(B, &[(A, gone.endpoint.clone())]).await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        let mut stream = call(&b, "operator-0").await;
        subscribes_to(&mut stream, &topic()).await;
        calls.push(stream);
    }
    let mut fifth = call(&b, "operator-0").await;
    assert!(hangs_up(&mut fifth).await);
    // Four times as many frames as a lane holds.
    let flood = message(&[topic().as_bytes(), b"flood"]).repeat(64);
    for _ in 0..64 {
        calls[0].write_all(&flood).await.expect("it reads");
    }
    let single = message(&[topic().as_bytes(), b"single"]);
    calls[1].write_all(&single).await.expect("it reads");
    until("all of it has arrived", || b.stats().frames_in == 4097).await;
    let dropped = b.stats().dropped_in;
    assert!(dropped >= 4096 - 1024, "{dropped}");
    let mut received = 0;
    while recv(&b).await != "single" {
        received += 1;
        assert!(received < 10, "one lane does not wait for another");
    }
}
