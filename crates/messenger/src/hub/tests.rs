//! Tests of the hub's faults; the contract suite covers what every messenger must do.

use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::contract;

struct Hubs;

#[async_trait]
impl contract::Cluster for Hubs {
    type Messenger = HubMessenger;
    type Network = Hub;

    async fn start(&self, size: u8) -> (Hub, Vec<HubMessenger>) {
        let hub = Hub::new(1);
        let members = (0..size).map(|id| hub.join(OperatorId::new(id))).collect();
        (hub, members)
    }

    async fn join(&self, hub: &Hub, running: &[HubMessenger]) -> HubMessenger {
        hub.join(OperatorId::new(running.len() as u8))
    }
}

#[tokio::test]
async fn passes_the_contract() {
    contract::run(&Hubs).await;
}

#[tokio::test(start_paused = true)]
async fn passes_the_contract_under_paused_time() {
    contract::run(&Hubs).await;
}

const A: OperatorId = OperatorId::new(0);
const B: OperatorId = OperatorId::new(1);
const C: OperatorId = OperatorId::new(2);

async fn send_numbers(sender: &HubMessenger, numbers: core::ops::Range<u32>) {
    for number in numbers {
        sender
            .broadcast(number.to_string().into())
            .await
            .expect("open");
    }
}

/// Returns everything that has arrived after a minute.
async fn arrived(receiver: &HubMessenger) -> Vec<u32> {
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut numbers = Vec::new();
    while let Some(frame) = receiver.inbox.try_recv().expect("open") {
        numbers.push(
            String::from_utf8_lossy(&frame)
                .parse()
                .expect("only numbers are sent"),
        );
    }
    numbers
}

/// Returns what arrives of 200 frames sent over a link with these faults.
async fn send_over(seed: u64, faults: LinkFaults) -> Vec<u32> {
    let hub = Hub::new(seed);
    let (a, b) = (hub.join(A), hub.join(B));
    hub.set_link(A, B, faults);
    send_numbers(&a, 0..200).await;
    arrived(&b).await
}

#[tokio::test(start_paused = true)]
async fn a_lossy_link_loses_and_counts_frames() {
    let hub = Hub::new(5);
    let (a, b) = (hub.join(A), hub.join(B));
    hub.set_link(A, B, LinkFaults::none().with_loss(0.5));
    send_numbers(&a, 0..200).await;
    let got = arrived(&b).await;
    assert!((50..150).contains(&got.len()), "{}", got.len());
    assert!(got.is_sorted());
    assert_eq!(a.stats().dropped_out, 200 - got.len() as u64);
    assert_eq!(a.stats().frames_out, 200);
    assert_eq!(b.stats().frames_in, got.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_duplicating_link_delivers_each_frame_twice() {
    let got = send_over(5, LinkFaults::none().with_duplicate(1.0)).await;
    let expected: Vec<_> = (0..200).flat_map(|n| [n, n]).collect();
    assert_eq!(got, expected);
}

#[tokio::test(start_paused = true)]
async fn a_delaying_link_keeps_frames_in_order() {
    let hub = Hub::new(5);
    let (a, b) = (hub.join(A), hub.join(B));
    let delay = Duration::from_millis(20)..=Duration::from_millis(80);
    hub.set_link(A, B, LinkFaults::none().with_delay(delay));
    send_numbers(&a, 0..200).await;
    tokio::time::sleep(Duration::from_millis(19)).await;
    assert_eq!(b.inbox.try_recv().expect("open"), None);
    tokio::time::sleep(Duration::from_millis(63)).await;
    for number in 0..200 {
        let frame = b.inbox.try_recv().expect("open").expect("arrived by now");
        assert_eq!(frame, number.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn frames_do_not_overtake_when_a_delay_is_lifted() {
    let hub = Hub::new(5);
    let (a, b) = (hub.join(A), hub.join(B));
    let slow = Duration::from_secs(1);
    hub.set_link(A, B, LinkFaults::none().with_delay(slow..=slow));
    send_numbers(&a, 0..10).await;
    hub.set_link(A, B, LinkFaults::none());
    send_numbers(&a, 10..20).await;
    assert_eq!(arrived(&b).await, (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_reordering_link_loses_no_frame() {
    let mut got = send_over(5, LinkFaults::none().with_reorder(0.3)).await;
    assert!(!got.is_sorted());
    got.sort_unstable();
    assert_eq!(got, (0..200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_cut_link_loses_frames_in_transit_until_it_is_healed() {
    let hub = Hub::new(5);
    let (a, b, c) = (hub.join(A), hub.join(B), hub.join(C));
    let slow = Duration::from_secs(1);
    hub.set_link(A, B, LinkFaults::none().with_delay(slow..=slow));
    send_numbers(&a, 0..1).await;
    hub.cut(A, B);
    assert!(hub.is_cut(B, A));
    assert!(!a.stats().peers[0].connected);
    send_numbers(&a, 1..2).await;
    send_numbers(&b, 100..101).await;
    assert_eq!(arrived(&b).await, [] as [u32; 0]);
    assert_eq!(arrived(&a).await, [] as [u32; 0]);
    hub.heal(A, B);
    send_numbers(&a, 2..3).await;
    assert_eq!(arrived(&b).await, [2]);
    assert_eq!(arrived(&c).await, [0, 100, 1, 2]);
    let stats = a.stats();
    assert!(stats.peers[0].connected);
    assert_eq!((stats.dropped_out, stats.reconnects), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn one_direction_can_be_cut_on_its_own() {
    let hub = Hub::new(5);
    let (a, b) = (hub.join(A), hub.join(B));
    hub.cut_one_way(A, B);
    send_numbers(&a, 0..1).await;
    send_numbers(&b, 1..2).await;
    assert_eq!(arrived(&b).await, [] as [u32; 0]);
    assert_eq!(arrived(&a).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_cut_off_from_all_receives_nothing_until_healed() {
    let hub = Hub::new(5);
    let (a, b, c) = (hub.join(A), hub.join(B), hub.join(C));
    hub.cut_all(A);
    send_numbers(&a, 0..1).await;
    send_numbers(&b, 1..2).await;
    assert_eq!(arrived(&a).await, [] as [u32; 0]);
    assert_eq!(arrived(&c).await, [1]);
    hub.heal_all(A);
    send_numbers(&a, 2..3).await;
    send_numbers(&b, 3..4).await;
    assert_eq!(arrived(&a).await, [3]);
    assert_eq!(arrived(&c).await, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_operator_receives_no_frame_sent_before_the_restart() {
    let hub = Hub::new(5);
    let (a, b) = (hub.join(A), hub.join(B));
    let slow = Duration::from_secs(1);
    hub.set_link(A, B, LinkFaults::none().with_delay(slow..=slow));
    send_numbers(&a, 0..1).await;
    let again = hub.join(B);
    assert!(matches!(b.recv().await, Err(MessengerError::Closed)));
    // Dropping the earlier end must not disconnect the later one.
    drop(b);
    send_numbers(&a, 1..2).await;
    assert_eq!(arrived(&again).await, [1]);
}

#[tokio::test]
async fn frames_of_a_flooding_peer_are_dropped_before_those_of_others() {
    let hub = Hub::with_limits(5, QueueLimits::new(10, 1000));
    let (a, b, c) = (hub.join(A), hub.join(B), hub.join(C));
    send_numbers(&b, 1000..1001).await;
    send_numbers(&a, 0..500).await;
    let mut got = Vec::new();
    while let Some(frame) = c.inbox.try_recv().expect("open") {
        got.push(String::from_utf8_lossy(&frame).into_owned());
    }
    assert_eq!(got[0], "1000");
    let newest: Vec<_> = (490..500).map(|n| n.to_string()).collect();
    assert_eq!(got[1..], newest);
    assert_eq!(c.stats().dropped_in, 490);
}

#[tokio::test(start_paused = true)]
async fn frames_in_transit_are_bounded() {
    let hub = Hub::with_limits(5, QueueLimits::new(10, 1000));
    let (a, b) = (hub.join(A), hub.join(B));
    let slow = Duration::from_secs(1);
    hub.set_link(A, B, LinkFaults::none().with_delay(slow..=slow));
    send_numbers(&a, 0..500).await;
    assert_eq!(a.stats().dropped_out, 490);
    assert_eq!(arrived(&b).await.len(), 10);
}

#[test]
fn a_hub_outlives_the_runtime_that_delivered_its_frames() {
    let hub = Hub::new(5);
    let (a, b) = (hub.join(A), hub.join(B));
    let slow = Duration::from_millis(5);
    hub.set_link(A, B, LinkFaults::none().with_delay(slow..=slow));
    for _ in 0..2 {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(async {
                send_numbers(&a, 0..1).await;
                assert_eq!(b.recv().await.expect("open"), "0");
            });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_same_seed_gives_the_same_faults(seed: u64, loss in 0.0..0.5, reorder in 0.0..0.5, duplicate in 0.0..0.5) {
        let run = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime")
                .block_on(send_over(
                    seed,
                    LinkFaults::none()
                        .with_loss(loss)
                        .with_reorder(reorder)
                        .with_duplicate(duplicate)
                        .with_delay(Duration::from_millis(1)..=Duration::from_millis(30)),
                ))
        };
        prop_assert_eq!(run(), run());
    }
}

#[tokio::test(start_paused = true)]
async fn frames_for_an_operator_reach_its_second_machine_too() {
    let hub = Hub::new(1);
    let (a, b, twin) = (hub.join(A), hub.join(B), hub.join_as(C, B));
    a.send_to(B, "1".into()).await.expect("open");
    assert_eq!(
        (arrived(&b).await, arrived(&twin).await),
        (vec![1], vec![1])
    );
    // Also from one machine to the other.
    twin.send_to(B, "2".into()).await.expect("open");
    assert_eq!((arrived(&b).await, arrived(&twin).await), (vec![2], vec![]));
    drop(b);
    a.send_to(B, "3".into()).await.expect("open");
    assert_eq!(arrived(&twin).await, vec![3]);
}
