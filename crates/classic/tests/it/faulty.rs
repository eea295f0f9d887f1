//! An operator whose key or wire fails costs itself alone, and says so.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use federation_chain::Block;
use federation_classic::{
    BlockSigner, CallLimits, Config, Event, GuardFile, Message, Operator, Schedule, Share,
    SignFailure, TurnGuard,
    wire::{Arrival, Wire, WireError},
};
use secp256k1::ecdsa::Signature;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    air::Air,
    chain::{Chain, TestNode, now},
};

const OPERATORS: u8 = 3;
const INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Hangs,
    Refuses,
    Panics,
    /// Signs when the leader has counted.
    Late,
}

struct Fickle {
    node: Arc<TestNode>,
    mood: Mutex<Mood>,
}

#[async_trait]
impl BlockSigner for Fickle {
    async fn sign(&self, block: &Block) -> Result<Vec<Signature>, SignFailure> {
        let mood = *self.mood.lock().expect("unpoisoned");
        match mood {
            Mood::Well => Ok(vec![self.node.signblock(block)]),
            Mood::Hangs => core::future::pending().await,
            Mood::Refuses => Err(SignFailure::new("the PIN is locked")),
            Mood::Panics => panic!("a fickle key"),
            Mood::Late => {
                tokio::time::sleep(INTERVAL).await;
                Ok(vec![self.node.signblock(block)])
            }
        }
    }
}

/// A wire that takes no message and does not close.
struct Stuck;

#[async_trait]
impl Wire for Stuck {
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
    air: Arc<Air>,
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl World {
    fn new() -> Self {
        Self {
            chain: Chain::new(OPERATORS, 2, Duration::from_millis(300)),
            air: Air::new(OPERATORS.into(), Duration::from_millis(50)),
            folder: tempfile::tempdir().expect("a folder"),
            stop: CancellationToken::new(),
        }
    }

    fn operator(
        &self,
        place: usize,
        wire: Arc<dyn Wire>,
        signer: Arc<dyn BlockSigner>,
    ) -> Operator {
        let schedule = Schedule::new(INTERVAL, OPERATORS.into()).expect("a schedule");
        let folder = self.folder.path().join(place.to_string());
        let genesis = federation_chain::BlockHash::from_bytes([1; 32]);
        let guard = GuardFile::open(&folder, genesis, place).expect("a guard");
        let begun = self.chain.begun;
        Operator::new(
            Config::new(self.chain.rules.clone(), schedule, place),
            self.chain.node(place),
            wire,
            signer,
            TurnGuard::new(guard),
        )
        .with_clock(Arc::new(move || now(begun)))
    }

    fn start(&self, place: usize, signer: Arc<dyn BlockSigner>) -> mpsc::UnboundedReceiver<Event> {
        let (sender, events) = mpsc::unbounded_channel();
        let wire = Arc::new(self.air.join(place));
        let operator = self.operator(place, wire, signer).with_events(sender);
        tokio::spawn(operator.run(self.stop.clone()));
        events
    }
}

/// What was told of this operator's share since the last time.
fn shares(events: &mut mpsc::UnboundedReceiver<Event>) -> Vec<Event> {
    core::iter::from_fn(|| events.try_recv().ok())
        .filter(|event| matches!(event, Event::Missed { .. } | Event::DoneAgain(_)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_key_that_fails_in_each_turn_is_told_with_its_reason_and_so_is_its_end() {
    for (mood, expected) in [
        (Mood::Hangs, "the key did not answer within 15s"),
        (Mood::Refuses, "the PIN is locked"),
        (Mood::Panics, "a fickle key"),
    ] {
        let world = World::new();
        for place in 0..2 {
            world.start(place, world.chain.node(place));
        }
        let key = Arc::new(Fickle {
            node: world.chain.node(2),
            mood: Mutex::new(mood),
        });
        let mut events = world.start(2, key.clone());
        tokio::time::sleep(INTERVAL * 12).await;
        let height = world.chain.height(0);
        assert!(height >= 6, "the others go on: {height}");
        let told = shares(&mut events);
        assert!(
            matches!(&told[0], Event::Missed { share: Share::Sign, turns: 3, reason }
                if reason.contains(expected)),
            "{told:?}"
        );
        *key.mood.lock().expect("unpoisoned") = Mood::Well;
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!(shares(&mut events), [Event::DoneAgain(Share::Sign)]);
        world.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn signatures_that_come_when_the_leader_has_counted_are_told_as_missed() {
    let world = World::new();
    for place in 0..2 {
        world.start(place, world.chain.node(place));
    }
    let key = Arc::new(Fickle {
        node: world.chain.node(2),
        mood: Mutex::new(Mood::Late),
    });
    let mut limits = CallLimits::default();
    limits.key = INTERVAL * 2;
    let (sender, mut events) = mpsc::unbounded_channel();
    let operator = world.operator(2, Arc::new(world.air.join(2)), key);
    let operator = operator.with_events(sender).with_limits(limits);
    tokio::spawn(operator.run(world.stop.clone()));
    tokio::time::sleep(INTERVAL * 12).await;
    let told = shares(&mut events);
    assert!(
        matches!(&told[..], [Event::Missed { share: Share::Sign, turns: 3, reason }, ..]
            if reason.contains("too late")),
        "{told:?}"
    );
    world.stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn an_operator_stops_whatever_its_key_and_its_wire_do() {
    let world = World::new();
    let key = Arc::new(Fickle {
        node: world.chain.node(0),
        mood: Mutex::new(Mood::Hangs),
    });
    let operator = world.operator(0, Arc::new(Stuck), key.clone());
    let running = tokio::spawn(operator.run(world.stop.clone()));
    tokio::time::sleep(INTERVAL * 7).await;
    assert!(!running.is_finished(), "it goes on");
    world.stop.cancel();
    let ended = running.await.expect("no panic");
    assert!(ended.is_ok(), "{ended:?}");
    // And lets go of its key.
    while Arc::strong_count(&key) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
