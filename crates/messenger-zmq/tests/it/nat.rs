//! Operators who cannot be reached at their endpoints, and those who say that they are such.

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

async fn heard(messenger: &ZmqMessenger, what: &str) {
    until(what, || {
        let peers = messenger.stats().peers;
        peers
            .iter()
            .any(|peer| peer.connected && peer.peer == Peer::Operator(A))
    })
    .await;
}

/// Frames go one way and the other, each once.
async fn each_hears_the_other_once(a: &ZmqMessenger, b: &ZmqMessenger) {
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
    for quiet in [a, b] {
        let more = tokio::time::timeout(Duration::from_millis(50), quiet.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test]
async fn one_that_nobody_can_reach_is_heard_over_a_connection_that_it_makes() {
    let gone = held();
    let b = operator(B, &[(A, gone.endpoint.clone())]).await;
    let a = operator(A, &[(B, b.local_endpoint())]).await;
    heard(&b, "the offer is taken").await;
    until("both are subscribed", || {
        (a.subscribers(), b.subscribers()) == (1, 1)
    })
    .await;
    each_hears_the_other_once(&a, &b).await;
}

#[tokio::test]
async fn where_each_reaches_the_other_nothing_travels_twice() {
    let b = operator(B, &[]).await;
    let a = operator(A, &[(B, b.local_endpoint())]).await;
    b.add_operator(A, a.local_endpoint()).expect("open");
    until("both are heard at their endpoints", || {
        let hears = |messenger: &ZmqMessenger, other: &ZmqMessenger| {
            let other = Peer::Address(other.local_endpoint().to_string().into());
            let peers = messenger.stats().peers;
            peers
                .iter()
                .any(|peer| peer.connected && peer.peer == other)
        };
        hears(&a, &b) && hears(&b, &a) && (a.subscribers(), b.subscribers()) == (1, 1)
    })
    .await;
    let (before, heard) = (a.stats(), b.stats());
    // Longer than an offer takes.
    each_hears_the_other_once(&a, &b).await;
    assert_eq!(a.stats().frames_out, before.frames_out + 21);
    assert_eq!(b.stats().frames_in, heard.frames_in + 21);
}

/// Passes connections on to a messenger until it is aborted, which ends them.
async fn way_to(messenger: &ZmqMessenger) -> (Endpoint, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = listener.local_addr().expect("bound").into();
    let to = messenger.local_endpoint();
    let passing = tokio::spawn(async move {
        let mut passed = tokio::task::JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let to = to.clone();
            passed.spawn(async move {
                if let Ok(mut far) = TcpStream::connect((to.host(), to.port())).await {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    (endpoint, passing)
}

#[tokio::test]
async fn a_way_that_is_lost_is_replaced_by_the_other() {
    let b = operator(B, &[]).await;
    let a = operator(A, &[(B, b.local_endpoint())]).await;
    let (endpoint, passing) = way_to(&a).await;
    b.add_operator(A, endpoint).expect("open");
    until("both are subscribed", || {
        a.subscribers() >= 1 && b.subscribers() == 1
    })
    .await;
    passing.abort();
    heard(&b, "the offer is taken").await;
    until("the lost way is noticed", || a.subscribers() == 1).await;
    each_hears_the_other_once(&a, &b).await;
}

/// Calls and says who it is.
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

/// What it asks for, after its own greeting and command.
async fn asks_for(stream: &mut TcpStream, topic: &str) {
    let mut heard = Vec::new();
    let asking = async {
        let wanted = [&[1], topic.as_bytes()].concat();
        while !heard.windows(wanted.len()).any(|part| part == wanted) {
            let read = stream.read_buf(&mut heard).await.expect("it is open");
            assert!(read > 0, "it hung up");
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking)
        .await
        .expect("in time");
}

#[tokio::test]
async fn publishers_that_are_nobody_are_sent_away() {
    let gone = held();
    let b = operator(B, &[(A, gone.endpoint.clone())]).await;
    for identity in ["operator-7", "operator-00", "anna", ""] {
        let mut stream = call(&b, identity).await;
        assert!(hangs_up(&mut stream).await, "{identity}");
    }
    let nameless = bind(config()).await;
    let mut stream = call(&nameless, "operator-0").await;
    assert!(hangs_up(&mut stream).await);
}

#[tokio::test]
async fn who_takes_the_name_of_one_that_is_heard_at_its_endpoint_is_not_heard() {
    let a = operator(A, &[]).await;
    let b = operator(B, &[(A, a.local_endpoint())]).await;
    until("a is heard", || a.subscribers() == 1).await;
    let mut liar = call(&b, "operator-0").await;
    // It is told who listens, and asked for nothing.
    asks_for(&mut liar, &topic().replace("/1/", "/1/operator-1/")).await;
    let forged = message(&[topic().as_bytes(), b"forged"]);
    liar.write_all(&forged.repeat(100)).await.expect("it reads");
    until("it is dropped", || b.stats().dropped_in == 100).await;
    send(&a, "true").await;
    assert_eq!(recv(&b).await, "true");
}

#[tokio::test]
async fn those_who_take_one_name_are_few_and_do_not_drown_each_other() {
    let gone = held();
    let b = operator(B, &[(A, gone.endpoint.clone())]).await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        let mut stream = call(&b, "operator-0").await;
        asks_for(&mut stream, &topic()).await;
        calls.push(stream);
    }
    let mut fifth = call(&b, "operator-0").await;
    assert!(hangs_up(&mut fifth).await);
    // Four times the frames that a lane has.
    let flood = message(&[topic().as_bytes(), b"flood"]).repeat(64);
    for _ in 0..64 {
        calls[0].write_all(&flood).await.expect("it reads");
    }
    let calm = message(&[topic().as_bytes(), b"calm"]);
    calls[1].write_all(&calm).await.expect("it reads");
    until("all has come", || b.stats().frames_in == 4097).await;
    let dropped = b.stats().dropped_in;
    assert!(dropped >= 4096 - 1024, "{dropped}");
    let mut heard = 0;
    while recv(&b).await != "calm" {
        heard += 1;
        assert!(heard < 10, "one lane waits for another");
    }
}
