//! Frames for a single operator.

use federation_messenger::MessengerStats;

use super::*;

fn operator(id: u8) -> OperatorId {
    OperatorId::new(id)
}

async fn named(id: u8, peers: &[&ZmqMessenger]) -> ZmqMessenger {
    let peers = peers.iter().map(|peer| peer.local_endpoint());
    bind(config().with_operator(operator(id)).with_peers(peers)).await
}

/// Returns the number of frames queued on each link, in ascending order.
fn queued(stats: &MessengerStats) -> Vec<u64> {
    let mut frames: Vec<_> = stats.peers.iter().map(|peer| peer.frames_out).collect();
    frames.sort_unstable();
    frames
}

#[tokio::test]
async fn a_frame_for_one_operator_is_queued_for_it_alone() {
    let a = named(0, &[]).await;
    let (b, c) = (named(1, &[&a]).await, named(2, &[&a]).await);
    until("both subscribe", || a.subscribers() == 2).await;
    a.send_to(operator(2), "for c".into()).await.expect("open");
    assert_eq!(recv(&c).await, "for c");
    assert_eq!(queued(&a.stats()), [0, 1]);
    send(&a, "for all").await;
    assert_eq!(recv(&b).await, "for all");
    assert_eq!(recv(&c).await, "for all");
}

#[tokio::test]
async fn an_unidentified_peer_receives_frames_for_an_absent_operator() {
    let a = named(0, &[]).await;
    let named = named(1, &[&a]).await;
    let earlier = bind(config().with_peers([a.local_endpoint()])).await;
    until("both subscribe", || a.subscribers() == 2).await;
    a.send_to(operator(2), "for 2".into()).await.expect("open");
    assert_eq!(recv(&earlier).await, "for 2");
    a.send_to(operator(1), "for 1".into()).await.expect("open");
    assert_eq!(recv(&named).await, "for 1");
    send(&a, "for all").await;
    assert_eq!(recv(&earlier).await, "for all");
    assert_eq!(recv(&named).await, "for all");
}

#[tokio::test]
async fn an_unidentified_messenger_sends_frames_for_one_to_all() {
    let a = bind(config()).await;
    let (b, c) = (named(1, &[&a]).await, named(2, &[&a]).await);
    until("both subscribe", || a.subscribers() == 2).await;
    assert!(!a.has_unicast());
    a.send_to(operator(2), "for c".into()).await.expect("open");
    assert_eq!(recv(&b).await, "for c");
    assert_eq!(recv(&c).await, "for c");
}
