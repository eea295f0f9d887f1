//! The tests that every messenger must pass, for crates that implement one.
//!
//! A backend's test passes [`run`] a [`Cluster`] that starts connected messengers:
//!
//! ```
//! use async_trait::async_trait;
//! use federation_messenger::{contract, hub::{Hub, HubMessenger}};
//! use federation_roster::OperatorId;
//!
//! struct Hubs;
//!
//! #[async_trait]
//! impl contract::Cluster for Hubs {
//!     type Messenger = HubMessenger;
//!     type Network = Hub;
//!
//!     async fn start(&self, size: u8) -> (Hub, Vec<HubMessenger>) {
//!         let hub = Hub::new(0);
//!         let members = (0..size).map(|id| hub.join(OperatorId::new(id))).collect();
//!         (hub, members)
//!     }
//!
//!     async fn join(&self, hub: &Hub, running: &[HubMessenger]) -> HubMessenger {
//!         hub.join(OperatorId::new(u8::try_from(running.len()).expect("a small cluster")))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! contract::run(&Hubs).await;
//! # }
//! ```

use core::{future::Future, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use federation_roster::OperatorId;

use crate::{MAX_FRAME, Messenger, MessengerError};

/// How long any step may take before the test fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Prefix of the frames with which [`settle`] finds out who is connected; tests skip them.
const PROBE: &[u8] = b"contract probe ";

/// Starts messengers that are connected to each other, or soon will be.
#[async_trait]
pub trait Cluster: Sync {
    /// The messenger under test.
    type Messenger: Messenger;
    /// Whatever must outlive the messengers: a hub, a broker, or nothing.
    type Network: Send + Sync;

    /// Starts `size` messengers, for operators 0, 1 and so on, each configured with all the others.
    async fn start(&self, size: u8) -> (Self::Network, Vec<Self::Messenger>);

    /// Starts a messenger for the next operator and connects it with the running ones, both ways.
    async fn join(&self, network: &Self::Network, running: &[Self::Messenger]) -> Self::Messenger;
}

/// Runs the whole suite.
///
/// # Panics
/// If the messenger breaks the contract; the message says where.
pub async fn run<C: Cluster>(cluster: &C) {
    a_frame_reaches_everyone_but_its_sender(cluster).await;
    frames_of_every_size_arrive_unchanged(cluster).await;
    frames_of_a_sender_arrive_in_order(cluster).await;
    a_frame_for_one_operator_reaches_it(cluster).await;
    a_frame_for_an_absent_operator_is_accepted(cluster).await;
    a_dropped_recv_loses_no_frame(cluster).await;
    a_receiver_that_does_not_read_delays_nobody(cluster).await;
    close_wakes_a_pending_recv_and_is_idempotent(cluster).await;
    the_others_keep_receiving_when_one_closes(cluster).await;
    a_late_joiner_receives_later_frames(cluster).await;
    frames_and_bytes_are_counted(cluster).await;
}

/// Sends probes until everyone receives from everyone else, which takes a moment over a network.
///
/// # Panics
/// If that does not happen in time.
pub async fn settle<M: Messenger>(members: &[M]) {
    let size = members.len();
    let mut received = vec![vec![false; size]; size];
    let all_connected = async {
        let mut serial = 0_u64;
        while (0..size).any(|to| (0..size).any(|from| from != to && !received[to][from])) {
            serial += 1;
            for (from, member) in members.iter().enumerate() {
                let probe = [PROBE, format!("{from} {serial}").as_bytes()].concat();
                member
                    .broadcast(probe.into())
                    .await
                    .expect("a messenger accepts frames before anyone is connected");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            for (to, member) in members.iter().enumerate() {
                while let Ok(frame) =
                    tokio::time::timeout(Duration::from_millis(1), member.recv()).await
                {
                    let frame = frame.expect("an open messenger receives");
                    let text = String::from_utf8_lossy(&frame).into_owned();
                    let from = text
                        .split(' ')
                        .nth(2)
                        .and_then(|id| id.parse::<usize>().ok());
                    let from = from.expect("only probes are sent while a cluster settles");
                    assert_ne!(from, to, "a frame came back to its sender");
                    received[to][from] = true;
                }
            }
        }
    };
    within("everyone receives from everyone else", all_connected).await;
}

/// Awaits `future`, for a limited time.
///
/// # Panics
/// If it takes longer.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(TIMEOUT, future).await {
        Ok(output) => output,
        Err(_) => panic!("timed out after {TIMEOUT:?}: {what}"),
    }
}

/// Returns the next frame other than a probe.
async fn next<M: Messenger>(member: &M, what: &str) -> Bytes {
    within(what, async {
        loop {
            let frame = member.recv().await.expect("an open messenger receives");
            if !frame.starts_with(PROBE) {
                return frame;
            }
        }
    })
    .await
}

/// Fails if a frame other than a probe arrives shortly.
async fn expect_nothing<M: Messenger>(member: &M, what: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_millis(100);
    while let Ok(frame) = tokio::time::timeout_at(deadline, member.recv()).await {
        let frame = frame.expect("an open messenger receives");
        assert!(
            frame.starts_with(PROBE),
            "{what}: got a frame of {} bytes",
            frame.len()
        );
    }
}

async fn send<M: Messenger>(member: &M, frame: Bytes) {
    within("broadcast returns at once", member.broadcast(frame))
        .await
        .expect("an open messenger accepts frames");
}

async fn started<C: Cluster>(cluster: &C, size: u8) -> (C::Network, Vec<C::Messenger>) {
    let (network, members) = cluster.start(size).await;
    assert_eq!(members.len(), usize::from(size), "the cluster's size");
    settle(&members).await;
    (network, members)
}

async fn close_all<M: Messenger>(members: &[M]) {
    for member in members {
        within("close returns", member.close()).await;
    }
}

/// A frame reaches everyone except its sender, once.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn a_frame_reaches_everyone_but_its_sender<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 4).await;
    for (from, sender) in members.iter().enumerate() {
        let frame = Bytes::from(format!("from {from}"));
        send(sender, frame.clone()).await;
        for (to, receiver) in members.iter().enumerate() {
            if to != from {
                assert_eq!(next(receiver, "a frame reaches all others").await, frame);
            }
        }
    }
    for member in &members {
        expect_nothing(member, "each frame arrives once, and never at its sender").await;
    }
    close_all(&members).await;
}

/// Empty frames, frames of sizes at which framings change, and frames of 8 MB arrive unchanged; a
/// frame over the limit is refused.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn frames_of_every_size_arrive_unchanged<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 3).await;
    for size in [0, 1, 255, 256, 65_535, 65_536, 8_000_000, MAX_FRAME] {
        let frame: Bytes = (0..size).map(|i| (i % 251) as u8).collect();
        send(&members[0], frame.clone()).await;
        for receiver in &members[1..] {
            let got = next(receiver, &format!("a frame of {size} bytes arrives")).await;
            assert!(got == frame, "a frame of {size} bytes arrives unchanged");
        }
    }
    let refused = members[0].broadcast(vec![0; MAX_FRAME + 1].into()).await;
    assert!(
        matches!(refused, Err(MessengerError::TooLarge { len, limit: MAX_FRAME }) if len == MAX_FRAME + 1),
        "a frame over the limit is refused: {refused:?}"
    );
    close_all(&members).await;
}

/// Frames of one sender arrive in the order they were sent in.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn frames_of_a_sender_arrive_in_order<C: Cluster>(cluster: &C) {
    const FRAMES: u32 = 300;
    let (_network, members) = started(cluster, 3).await;
    for serial in 0..FRAMES {
        for (from, sender) in members.iter().enumerate() {
            send(sender, format!("{from} {serial}").into()).await;
        }
    }
    for (to, receiver) in members.iter().enumerate() {
        let mut expected = vec![0; members.len()];
        expected[to] = FRAMES;
        while expected.iter().any(|serial| *serial < FRAMES) {
            let frame = next(receiver, "all frames arrive").await;
            let text = String::from_utf8_lossy(&frame).into_owned();
            let (from, serial) = text.split_once(' ').expect("two numbers");
            let from: usize = from.parse().expect("a sender");
            assert_eq!(
                serial.parse(),
                Ok(expected[from]),
                "frames of sender {from} arrive at {to} in order"
            );
            expected[from] += 1;
        }
    }
    close_all(&members).await;
}

/// A frame for one operator reaches it whole, in order with the frames for everyone. Nobody else
/// receives it if the messenger supports unicast; otherwise all others do. A frame over the limit is
/// refused.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn a_frame_for_one_operator_reaches_it<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 4).await;
    for (from, sender) in members.iter().enumerate() {
        for to in (0..members.len()).filter(|to| *to != from) {
            // Large enough to be split in transit.
            let mut large = vec![b'x'; 200_000];
            large[..3].copy_from_slice(format!("{from} {to}").as_bytes());
            let sent = [
                (false, Bytes::from(format!("before {from} {to}"))),
                (true, format!("{from} to {to}").into()),
                (true, large.into()),
                (false, format!("after {from} {to}").into()),
            ];
            for (for_one, frame) in &sent {
                if *for_one {
                    within(
                        "send_to returns at once",
                        sender.send_to(operator(to), frame.clone()),
                    )
                    .await
                    .expect("an open messenger accepts frames");
                } else {
                    send(sender, frame.clone()).await;
                }
            }
            for (other, receiver) in members.iter().enumerate() {
                let is_for = |for_one: bool| {
                    other != from && (!for_one || other == to || !sender.has_unicast())
                };
                for (_, frame) in sent.iter().filter(|(for_one, _)| is_for(*for_one)) {
                    let got = next(receiver, "a frame for one operator, or for all").await;
                    assert!(
                        got == *frame,
                        "from {from} to {to}, at {other}: got a frame of {} bytes, expected one of {}",
                        got.len(),
                        frame.len()
                    );
                }
            }
        }
    }
    for member in &members {
        expect_nothing(
            member,
            "a frame for one operator arrives once, and only there",
        )
        .await;
    }
    let refused = members[0]
        .send_to(operator(1), vec![0; MAX_FRAME + 1].into())
        .await;
    assert!(
        matches!(refused, Err(MessengerError::TooLarge { len, limit: MAX_FRAME }) if len == MAX_FRAME + 1),
        "a frame over the limit is refused: {refused:?}"
    );
    close_all(&members).await;
}

/// A frame for an operator that never existed, or has left, is accepted and delays nothing else.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn a_frame_for_an_absent_operator_is_accepted<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 3).await;
    within("close returns", members[2].close()).await;
    for gone in [2, 200] {
        within(
            "send_to returns at once",
            members[0].send_to(operator(gone), Bytes::from_static(b"lost")),
        )
        .await
        .expect("an open messenger accepts frames");
    }
    send(&members[0], Bytes::from_static(b"after")).await;
    while next(&members[1], "the frame sent after it").await != "after" {}
    let refused = members[2]
        .send_to(operator(0), Bytes::from_static(b"late"))
        .await;
    assert!(
        matches!(refused, Err(MessengerError::Closed)),
        "{refused:?}"
    );
    close_all(&members).await;
}

/// Returns the operator at an index of a cluster.
fn operator(index: usize) -> OperatorId {
    OperatorId::new(u8::try_from(index).expect("a small cluster"))
}

/// Dropping a pending `recv`, as `select!` does, loses no frame.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn a_dropped_recv_loses_no_frame<C: Cluster>(cluster: &C) {
    const FRAMES: u32 = 200;
    let (_network, members) = started(cluster, 2).await;
    let sending = async {
        for serial in 0..FRAMES {
            send(&members[0], serial.to_string().into()).await;
            tokio::task::yield_now().await;
        }
    };
    let receiving = async {
        let mut expected = 0;
        while expected < FRAMES {
            tokio::select! {
                biased;
                frame = members[1].recv() => {
                    let frame = frame.expect("an open messenger receives");
                    if !frame.starts_with(PROBE) {
                        assert_eq!(frame, expected.to_string());
                        expected += 1;
                    }
                }
                () = tokio::task::yield_now() => {}
            }
        }
    };
    within(
        "all frames arrive although pending recvs are dropped",
        async { tokio::join!(sending, receiving) },
    )
    .await;
    close_all(&members).await;
}

/// A receiver that does not read delays neither the sender nor the others; when it reads again, it
/// gets the newest frame.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn a_receiver_that_does_not_read_delays_nobody<C: Cluster>(cluster: &C) {
    const SMALL: u32 = 3_000;
    const LARGE: u32 = 40;
    const LARGE_BYTES: usize = 1_000_000;
    let (_network, members) = started(cluster, 3).await;
    let [sender, reader, idle] = &members[..] else {
        panic!("the cluster has three members");
    };
    let sending = async {
        for serial in 0..SMALL {
            send(sender, format!("small {serial}").into()).await;
            if serial % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let large = Bytes::from(vec![b'x'; LARGE_BYTES]);
        for _ in 0..LARGE {
            send(sender, large.clone()).await;
            tokio::task::yield_now().await;
        }
        send(sender, Bytes::from_static(b"last")).await;
    };
    let reading = async { while next(reader, "the reader gets the last frame").await != "last" {} };
    within("nobody waits for a receiver that does not read", async {
        tokio::join!(sending, reading)
    })
    .await;
    while next(idle, "the newest frame is kept").await != "last" {}
    close_all(&members).await;
}

/// Closing wakes a pending `recv`, may be repeated, and makes later calls fail.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn close_wakes_a_pending_recv_and_is_idempotent<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 2).await;
    let waiting = async {
        loop {
            match members[0].recv().await {
                Ok(frame) => assert!(frame.starts_with(PROBE)),
                Err(error) => break error,
            }
        }
    };
    let closing = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        members[0].close().await;
        members[0].close().await;
    };
    let (error, ()) = within("close wakes a pending recv", async {
        tokio::join!(waiting, closing)
    })
    .await;
    assert!(matches!(error, MessengerError::Closed), "{error:?}");
    let refused = members[0].broadcast(Bytes::from_static(b"late")).await;
    assert!(
        matches!(refused, Err(MessengerError::Closed)),
        "{refused:?}"
    );
    let refused = within("recv returns after close", members[0].recv()).await;
    assert!(
        matches!(refused, Err(MessengerError::Closed)),
        "{refused:?}"
    );
    close_all(&members).await;
}

/// When one messenger closes, the others keep receiving from each other.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn the_others_keep_receiving_when_one_closes<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 3).await;
    within("close returns", members[2].close()).await;
    for serial in 0..50 {
        let frame = Bytes::from(format!("after {serial}"));
        send(&members[0], frame.clone()).await;
        assert_eq!(next(&members[1], "the others keep receiving").await, frame);
    }
    close_all(&members).await;
}

/// A messenger that joins later sends and receives from then on.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn a_late_joiner_receives_later_frames<C: Cluster>(cluster: &C) {
    let (network, mut members) = started(cluster, 2).await;
    send(&members[0], Bytes::from_static(b"early")).await;
    assert_eq!(
        next(&members[1], "a frame before the late joiner").await,
        "early"
    );
    let late = within("a late joiner starts", cluster.join(&network, &members)).await;
    members.push(late);
    settle(&members).await;
    for from in 0..members.len() {
        let frame = Bytes::from(format!("from {from}"));
        send(&members[from], frame.clone()).await;
        for (to, receiver) in members.iter().enumerate() {
            if to != from {
                assert_eq!(
                    next(receiver, "a frame to or from a late joiner").await,
                    frame
                );
            }
        }
    }
    close_all(&members).await;
}

/// Frames and bytes are counted in both directions.
///
/// # Panics
/// If the messenger breaks this promise.
pub async fn frames_and_bytes_are_counted<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 2).await;
    let before: Vec<_> = members.iter().map(Messenger::stats).collect();
    for serial in 0..10 {
        let frame = Bytes::from(format!("frame {serial}"));
        send(&members[0], frame.clone()).await;
        assert_eq!(next(&members[1], "a frame").await, frame);
    }
    let (sent, got) = (members[0].stats(), members[1].stats());
    // Probes still in transit may be counted too.
    assert!(sent.frames_out >= before[0].frames_out + 10, "{sent:?}");
    assert!(sent.bytes_out >= before[0].bytes_out + 70, "{sent:?}");
    assert!(got.frames_in >= before[1].frames_in + 10, "{got:?}");
    assert!(got.bytes_in >= before[1].bytes_in + 70, "{got:?}");
    assert_eq!(
        (sent.dropped_out, got.dropped_in),
        (0, 0),
        "nothing is dropped"
    );
    close_all(&members).await;
}
