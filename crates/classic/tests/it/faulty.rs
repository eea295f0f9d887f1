//! An operator whose signer or wire fails affects only itself, and reports it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use federation_chain::Block;
use federation_classic::{
    BlockSigner, CallLimits, Config, Duty, Event, GuardFile, Message, Operator, Schedule,
    SignFailure, TurnGuard,
    wire::{Arrival, Wire, WireError},
};
use secp256k1::ecdsa::Signature;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    chain::{Chain, TestNode, now},
    network::Network,
};

const OPERATORS: u8 = 3;
const INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Works,
    Hangs,
    Refuses,
    Panics,
    /// Signs after the leader has counted.
    SignsLate,
}

struct FaultySigner {
    node: Arc<TestNode>,
    behaviour: Mutex<Behaviour>,
}

#[async_trait]
impl BlockSigner for FaultySigner {
    async fn sign(&self, block: &Block) -> Result<Vec<Signature>, SignFailure> {
        let behaviour = *self.behaviour.lock().expect("unpoisoned");
        match behaviour {
            Behaviour::Works => Ok(vec![self.node.signblock(block)]),
            Behaviour::Hangs => core::future::pending().await,
            Behaviour::Refuses => Err(SignFailure::new("the PIN is locked")),
            Behaviour::Panics => panic!("a faulty key"),
            Behaviour::SignsLate => {
                tokio::time::sleep(INTERVAL).await;
                Ok(vec![self.node.signblock(block)])
            }
        }
    }
}

/// A wire that accepts no message and does not close.
struct HangingWire;

#[async_trait]
impl Wire for HangingWire {
    async fn publish(&self, _: &Message) -> Result<(), WireError> {
        core::future::pending().await
    }

    async fn recv(&self) -> Result<Arrival, WireError> {
        core::future::pending().await
    }

    async fn close(&self) {
        core::future::pending().await
    }
}

struct World {
    chain: Arc<Chain>,
    network: Arc<Network>,
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl World {
    fn new() -> Self {
        Self {
            chain: Chain::new(OPERATORS, 2, Duration::from_millis(300)),
            network: Network::new(OPERATORS.into(), Duration::from_millis(50)),
            folder: tempfile::tempdir().expect("a folder"),
            stop: CancellationToken::new(),
        }
    }

    fn operator(
        &self,
        index: usize,
        wire: Arc<dyn Wire>,
        signer: Arc<dyn BlockSigner>,
    ) -> Operator {
        let schedule = Schedule::new(INTERVAL, OPERATORS.into()).expect("a schedule");
        let folder = self.folder.path().join(index.to_string());
        let genesis = federation_chain::BlockHash::from_bytes([1; 32]);
        let guard = GuardFile::open(&folder, genesis, index).expect("a guard");
        let started = self.chain.started;
        Operator::new(
            Config::new(self.chain.rules.clone(), schedule, index),
            self.chain.node(index),
            wire,
            signer,
            TurnGuard::new(guard),
        )
        .with_clock(Arc::new(move || now(started)))
    }

    fn start(&self, index: usize, signer: Arc<dyn BlockSigner>) -> mpsc::UnboundedReceiver<Event> {
        let (sender, events) = mpsc::unbounded_channel();
        let wire = Arc::new(self.network.join(index));
        let operator = self.operator(index, wire, signer).with_events(sender);
        tokio::spawn(operator.run(self.stop.clone()));
        events
    }
}

/// Returns the events about this operator's duties since the last call.
fn duty_events(events: &mut mpsc::UnboundedReceiver<Event>) -> Vec<Event> {
    core::iter::from_fn(|| events.try_recv().ok())
        .filter(|event| matches!(event, Event::DutyFailed { .. } | Event::DutyResumed(_)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_fails_in_every_turn_is_reported_with_the_reason_and_so_is_its_recovery() {
    for (behaviour, expected) in [
        (Behaviour::Hangs, "no signature within 15000 ms"),
        (Behaviour::Refuses, "the PIN is locked"),
        (Behaviour::Panics, "a faulty key"),
    ] {
        let world = World::new();
        for index in 0..2 {
            world.start(index, world.chain.node(index));
        }
        let key = Arc::new(FaultySigner {
            node: world.chain.node(2),
            behaviour: Mutex::new(behaviour),
        });
        let mut events = world.start(2, key.clone());
        tokio::time::sleep(INTERVAL * 12).await;
        let height = world.chain.height(0);
        assert!(height >= 6, "the others continue: {height}");
        let reported = duty_events(&mut events);
        assert!(
            matches!(&reported[0], Event::DutyFailed { duty: Duty::Sign, turns: 3, reason }
                if reason.contains(expected)),
            "{reported:?}"
        );
        *key.behaviour.lock().expect("unpoisoned") = Behaviour::Works;
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!(duty_events(&mut events), [Event::DutyResumed(Duty::Sign)]);
        world.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn signatures_after_the_leader_has_counted_are_reported_as_failures() {
    let world = World::new();
    for index in 0..2 {
        world.start(index, world.chain.node(index));
    }
    let key = Arc::new(FaultySigner {
        node: world.chain.node(2),
        behaviour: Mutex::new(Behaviour::SignsLate),
    });
    let mut limits = CallLimits::default();
    limits.key = INTERVAL * 2;
    let (sender, mut events) = mpsc::unbounded_channel();
    let operator = world.operator(2, Arc::new(world.network.join(2)), key);
    let operator = operator.with_events(sender).with_limits(limits);
    tokio::spawn(operator.run(world.stop.clone()));
    tokio::time::sleep(INTERVAL * 12).await;
    let reported = duty_events(&mut events);
    assert!(
        matches!(&reported[..], [Event::DutyFailed { duty: Duty::Sign, turns: 3, reason }, ..]
            if reason.contains("too late")),
        "{reported:?}"
    );
    world.stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn an_operator_stops_even_if_its_signer_and_its_wire_hang() {
    let world = World::new();
    let key = Arc::new(FaultySigner {
        node: world.chain.node(0),
        behaviour: Mutex::new(Behaviour::Hangs),
    });
    let operator = world.operator(0, Arc::new(HangingWire), key.clone());
    let running = tokio::spawn(operator.run(world.stop.clone()));
    tokio::time::sleep(INTERVAL * 7).await;
    assert!(!running.is_finished(), "it keeps running");
    world.stop.cancel();
    let ended = running.await.expect("no panic");
    assert!(ended.is_ok(), "{ended:?}");
    // It also releases its signer.
    while Arc::strong_count(&key) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
