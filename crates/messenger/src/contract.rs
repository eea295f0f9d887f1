//! The tests that every messenger passes, for the crates that implement one.
//!
//! A backend's test gives [`run`] a [`Cluster`] that starts connected messengers:
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

/// How long anything may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Begins the frames by which [`settle`] finds out who is connected; tests skip them.
const PROBE: &[u8] = b"contract probe ";

/// Starts messengers that are connected to each other, or about to be.
#[async_trait]
pub trait Cluster: Sync {
    /// The messenger under test.
    type Messenger: Messenger;
    /// What must live as long as the messengers: a hub, a broker, or nothing.
    type Network: Send + Sync;

    /// Starts as many messengers, each told of all others: those of operators 0, 1 and so on.
    async fn start(&self, size: u8) -> (Self::Network, Vec<Self::Messenger>);

    /// Starts one more, told of those that run, and they of it: that of the next operator.
    async fn join(&self, network: &Self::Network, running: &[Self::Messenger]) -> Self::Messenger;
}

/// Runs the whole suite.
///
/// # Panics
/// If the messenger breaks the contract, with a message that says where.
pub async fn run<C: Cluster>(cluster: &C) {
    reaches_all_others_and_not_oneself(cluster).await;
    frames_of_every_size_arrive_whole(cluster).await;
    order_of_a_sender_is_kept(cluster).await;
    a_frame_for_one_reaches_that_one(cluster).await;
    a_frame_for_one_that_is_gone_is_no_error(cluster).await;
    a_dropped_recv_loses_nothing(cluster).await;
    a_receiver_that_does_not_read_is_in_nobodys_way(cluster).await;
    close_wakes_a_pending_recv_and_is_idempotent(cluster).await;
    the_others_go_on_when_one_closes(cluster).await;
    a_late_joiner_gets_what_is_sent_after_it_came(cluster).await;
    what_is_carried_is_counted(cluster).await;
}

/// Sends probes until everyone hears everyone, which over a network takes a moment.
///
/// # Panics
/// If that does not happen.
pub async fn settle<M: Messenger>(members: &[M]) {
    let size = members.len();
    let mut heard = vec![vec![false; size]; size];
    let all_heard = async {
        let mut serial = 0_u64;
        while (0..size).any(|to| (0..size).any(|from| from != to && !heard[to][from])) {
            serial += 1;
            for (from, member) in members.iter().enumerate() {
                let probe = [PROBE, format!("{from} {serial}").as_bytes()].concat();
                member
                    .broadcast(probe.into())
                    .await
                    .expect("a messenger takes a frame before anyone is connected");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            for (to, member) in members.iter().enumerate() {
                while let Ok(frame) =
                    tokio::time::timeout(Duration::from_millis(1), member.recv()).await
                {
                    let frame = frame.expect("a messenger that is open receives");
                    let text = String::from_utf8_lossy(&frame).into_owned();
                    let from = text
                        .split(' ')
                        .nth(2)
                        .and_then(|id| id.parse::<usize>().ok());
                    let from = from.expect("only probes are under way while a cluster settles");
                    assert_ne!(from, to, "a frame came back to its sender");
                    heard[to][from] = true;
                }
            }
        }
    };
    within("everyone hears everyone", all_heard).await;
}

/// Awaits what must happen soon.
///
/// # Panics
/// If it does not.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// The next frame that is no probe.
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

/// Fails if a frame that is no probe comes within a moment.
async fn nothing_comes<M: Messenger>(member: &M, what: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_millis(100);
    while let Ok(frame) = tokio::time::timeout_at(deadline, member.recv()).await {
        let frame = frame.expect("an open messenger receives");
        assert!(
            frame.starts_with(PROBE),
            "{what}: a frame of {} bytes",
            frame.len()
        );
    }
}

async fn send<M: Messenger>(member: &M, frame: Bytes) {
    within("broadcast returns at once", member.broadcast(frame))
        .await
        .expect("an open messenger takes a frame");
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

/// Everyone gets a frame once, except who sent it.
///
/// # Panics
/// If not.
pub async fn reaches_all_others_and_not_oneself<C: Cluster>(cluster: &C) {
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
        nothing_comes(member, "frames arrive once, and not at their sender").await;
    }
    close_all(&members).await;
}

/// Frames of no byte, of sizes where framings change, and of 8 MB arrive as they were sent; one
/// over the limit is refused.
///
/// # Panics
/// If not.
pub async fn frames_of_every_size_arrive_whole<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 3).await;
    for size in [0, 1, 255, 256, 65_535, 65_536, 8_000_000, MAX_FRAME] {
        let frame: Bytes = (0..size).map(|i| (i % 251) as u8).collect();
        send(&members[0], frame.clone()).await;
        for receiver in &members[1..] {
            let got = next(receiver, &format!("a frame of {size} bytes arrives")).await;
            assert!(
                got == frame,
                "a frame of {size} bytes arrives as it was sent"
            );
        }
    }
    let refused = members[0].broadcast(vec![0; MAX_FRAME + 1].into()).await;
    assert!(
        matches!(refused, Err(MessengerError::TooLarge { len, limit: MAX_FRAME }) if len == MAX_FRAME + 1),
        "a frame over the limit is refused: {refused:?}"
    );
    close_all(&members).await;
}

/// Frames of one sender arrive in the order in which they were sent.
///
/// # Panics
/// If not.
pub async fn order_of_a_sender_is_kept<C: Cluster>(cluster: &C) {
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
                "frames of sender {from} arrive in order at {to}"
            );
            expected[from] += 1;
        }
    }
    close_all(&members).await;
}

/// A frame for one operator reaches it, whole and in its place among those for all. Nobody else
/// gets it if the messenger can address one; if not, all others do. One over the limit is refused.
///
/// # Panics
/// If not.
pub async fn a_frame_for_one_reaches_that_one<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 4).await;
    for (from, sender) in members.iter().enumerate() {
        for to in (0..members.len()).filter(|to| *to != from) {
            // One that is split on its way, too.
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
                    .expect("an open messenger takes a frame");
                } else {
                    send(sender, frame.clone()).await;
                }
            }
            for (other, receiver) in members.iter().enumerate() {
                let is_for = |for_one: bool| {
                    other != from && (!for_one || other == to || !sender.has_unicast())
                };
                for (_, frame) in sent.iter().filter(|(for_one, _)| is_for(*for_one)) {
                    let got = next(receiver, "a frame for one, or for all").await;
                    assert!(
                        got == *frame,
                        "from {from} to {to}, at {other}: a frame of {} bytes in place of one of {}",
                        got.len(),
                        frame.len()
                    );
                }
            }
        }
    }
    for member in &members {
        nothing_comes(member, "a frame for one arrives once, and at nobody else").await;
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

/// A frame for one that was never there, or has gone, is handed over, and hinders nothing.
///
/// # Panics
/// If not.
pub async fn a_frame_for_one_that_is_gone_is_no_error<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 3).await;
    within("close returns", members[2].close()).await;
    for gone in [2, 200] {
        within(
            "send_to returns at once",
            members[0].send_to(operator(gone), Bytes::from_static(b"lost")),
        )
        .await
        .expect("an open messenger takes a frame");
    }
    send(&members[0], Bytes::from_static(b"after")).await;
    while next(&members[1], "what is sent after it").await != "after" {}
    let refused = members[2]
        .send_to(operator(0), Bytes::from_static(b"late"))
        .await;
    assert!(
        matches!(refused, Err(MessengerError::Closed)),
        "{refused:?}"
    );
    close_all(&members).await;
}

/// The operator at a place of a cluster.
fn operator(place: usize) -> OperatorId {
    OperatorId::new(u8::try_from(place).expect("a small cluster"))
}

/// A `recv` that is given up, as in a `select!`, loses no frame.
///
/// # Panics
/// If it does.
pub async fn a_dropped_recv_loses_nothing<C: Cluster>(cluster: &C) {
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
    within("all frames arrive though recv is given up", async {
        tokio::join!(sending, receiving)
    })
    .await;
    close_all(&members).await;
}

/// One that never reads holds up neither the sender nor the others; when it reads at last, it gets
/// the newest frame.
///
/// # Panics
/// If not.
pub async fn a_receiver_that_does_not_read_is_in_nobodys_way<C: Cluster>(cluster: &C) {
    const SMALL: u32 = 3_000;
    const LARGE: u32 = 40;
    const LARGE_BYTES: usize = 1_000_000;
    let (_network, members) = started(cluster, 3).await;
    let [sender, reader, sleeper] = &members[..] else {
        panic!("three members were asked for");
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
    within("nobody waits for one that does not read", async {
        tokio::join!(sending, reading)
    })
    .await;
    while next(sleeper, "the newest frame is not the one dropped").await != "last" {}
    close_all(&members).await;
}

/// Closing wakes who waits in `recv`, may be repeated, and refuses what comes after.
///
/// # Panics
/// If not.
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

/// When one closes, the others still hear each other.
///
/// # Panics
/// If not.
pub async fn the_others_go_on_when_one_closes<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 3).await;
    within("close returns", members[2].close()).await;
    for serial in 0..50 {
        let frame = Bytes::from(format!("after {serial}"));
        send(&members[0], frame.clone()).await;
        assert_eq!(next(&members[1], "the others go on").await, frame);
    }
    close_all(&members).await;
}

/// One that comes later hears and is heard from then on.
///
/// # Panics
/// If not.
pub async fn a_late_joiner_gets_what_is_sent_after_it_came<C: Cluster>(cluster: &C) {
    let (network, mut members) = started(cluster, 2).await;
    send(&members[0], Bytes::from_static(b"early")).await;
    assert_eq!(next(&members[1], "a frame before").await, "early");
    let late = within("a late joiner starts", cluster.join(&network, &members)).await;
    members.push(late);
    settle(&members).await;
    for from in 0..members.len() {
        let frame = Bytes::from(format!("from {from}"));
        send(&members[from], frame.clone()).await;
        for (to, receiver) in members.iter().enumerate() {
            if to != from {
                assert_eq!(
                    next(receiver, "a frame to and from a late joiner").await,
                    frame
                );
            }
        }
    }
    close_all(&members).await;
}

/// The counters count.
///
/// # Panics
/// If not.
pub async fn what_is_carried_is_counted<C: Cluster>(cluster: &C) {
    let (_network, members) = started(cluster, 2).await;
    let before: Vec<_> = members.iter().map(Messenger::stats).collect();
    for serial in 0..10 {
        let frame = Bytes::from(format!("frame {serial}"));
        send(&members[0], frame.clone()).await;
        assert_eq!(next(&members[1], "a frame").await, frame);
    }
    let (sent, got) = (members[0].stats(), members[1].stats());
    // Probes still under way may be counted too.
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
