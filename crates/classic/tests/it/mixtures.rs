//! Five operators, some of them running the Python program, in virtual time.

use std::{sync::Arc, time::Duration};

use federation_chain::UnixTime;
use federation_classic::{Clock, Config, Event, GuardFile, Operator, Schedule, TurnGuard};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::{Chain, now},
    network::Network,
    python::{Python, secs},
};

const OPERATORS: u8 = 5;
const THRESHOLD: u8 = 3;
const T: u64 = 60;
const INTERVAL: Duration = Duration::from_secs(T);

/// Five operators, their nodes and the wire.
struct World {
    chain: Arc<Chain>,
    network: Arc<Network>,
    folder: tempfile::TempDir,
    running: Vec<Option<JoinHandle<()>>>,
    events: Vec<mpsc::UnboundedReceiver<Event>>,
}

impl World {
    fn new() -> Self {
        let chain = Chain::new(OPERATORS, THRESHOLD, Duration::from_millis(300));
        Self {
            network: Network::new(OPERATORS.into(), Duration::from_millis(50)),
            chain,
            folder: tempfile::tempdir().expect("a folder"),
            running: (0..OPERATORS).map(|_| None).collect(),
            events: Vec::new(),
        }
    }

    fn clock(&self, ahead: i64) -> Clock {
        let started = self.chain.started;
        Arc::new(move || {
            UnixTime::from_millis(now(started).as_millis().saturating_add_signed(ahead))
        })
    }

    fn start_python(&mut self, index: usize) {
        self.start_python_at(index, 0);
    }

    fn start_python_at(&mut self, index: usize, ahead: i64) {
        let node = self.chain.node(index);
        let python = Python {
            wallet: node.clone(),
            node,
            rules: self.chain.rules.clone(),
            messenger: self.network.join(index),
            clock: self.clock(ahead),
            blocktime: T,
            total: OPERATORS.into(),
            my_id: index as u64,
            nsigs: THRESHOLD.into(),
        };
        self.running[index] = Some(tokio::spawn(python.run()));
    }

    fn start_ours(&mut self, index: usize) {
        self.start_ours_at(index, 0);
    }

    fn start_ours_at(&mut self, index: usize, ahead: i64) {
        let schedule = Schedule::new(INTERVAL, OPERATORS.into()).expect("a schedule");
        let node = self.chain.node(index);
        let folder = self.folder.path().join(index.to_string());
        let genesis = federation_chain::BlockHash::from_bytes([1; 32]);
        let guard = TurnGuard::new(GuardFile::open(&folder, genesis, index).expect("a guard"));
        let (sender, events) = mpsc::unbounded_channel();
        self.events.push(events);
        let operator = Operator::new(
            Config::new(self.chain.rules.clone(), schedule, index),
            node.clone(),
            Arc::new(self.network.join(index)),
            node,
            guard,
        )
        .with_clock(self.clock(ahead))
        .with_events(sender);
        self.running[index] = Some(tokio::spawn(async move {
            let ended = operator.run(CancellationToken::new()).await;
            panic!("an operator ended: {ended:?}");
        }));
    }

    async fn kill(&mut self, index: usize) {
        if let Some(task) = self.running[index].take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Waits for a number of intervals.
    async fn pass(&self, intervals: u32) {
        tokio::time::sleep(INTERVAL * intervals).await;
        for task in self.running.iter().flatten() {
            assert!(!task.is_finished(), "no operator stops");
        }
    }

    fn heights(&self) -> Vec<usize> {
        (0..OPERATORS.into())
            .map(|index| self.chain.height(index))
            .collect()
    }

    fn check_no_fork(&self) {
        assert_eq!(*self.chain.forks.lock().expect("unpoisoned"), [0_u32; 0]);
        let heights = self.heights();
        let (low, high) = (heights.iter().min(), heights.iter().max());
        assert_eq!(low, high, "all nodes are on one chain");
    }

    fn events(&mut self) -> Vec<Event> {
        self.events
            .iter_mut()
            .flat_map(|events| std::iter::from_fn(|| events.try_recv().ok()))
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for task in self.running.iter().flatten() {
            task.abort();
        }
    }
}

/// Whether an operator runs our program in this mixture.
const fn is_ours(mixture: u32, index: usize) -> bool {
    mixture >> index & 1 == 1
}

#[tokio::test(start_paused = true)]
async fn every_mixture_makes_a_block_in_every_turn() {
    // From none of ours, for comparison, to all of them.
    for mixture in 0..1_u32 << OPERATORS {
        let mut world = World::new();
        for index in 0..OPERATORS.into() {
            if is_ours(mixture, index) {
                world.start_ours(index);
            } else {
                world.start_python(index);
            }
        }
        world.pass(12).await;
        world.check_no_fork();
        assert_eq!(world.heights()[0], 12, "mixture {mixture:05b}");
        let made = world.chain.made.lock().expect("unpoisoned").clone();
        for (height, (at, index)) in made.iter().enumerate() {
            let leader = (at.as_secs() / T % u64::from(OPERATORS)) as usize;
            let in_turn = secs(*at) % T as f64;
            assert_eq!((*index, world.chain.proposer(height + 1)), (leader, leader));
            // The old program waits until half of the turn; ours completes as soon as it can.
            let expected = if is_ours(mixture, leader) {
                0.0..1.0
            } else {
                30.0..30.1
            };
            assert!(expected.contains(&in_turn), "{mixture:05b}: {in_turn}");
        }
        for event in world.events() {
            assert!(
                !matches!(
                    event,
                    Event::Refused { .. } | Event::Rejected { .. } | Event::NoProposal { .. }
                ),
                "mixture {mixture:05b}: {event:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn turns_lost_to_two_dead_operators_are_caught_up() {
    for mixture in (0..1_u32 << OPERATORS).step_by(5) {
        let mut world = World::new();
        for index in 0..OPERATORS.into() {
            if is_ours(mixture, index) {
                world.start_ours(index);
            } else {
                world.start_python(index);
            }
        }
        world.pass(3).await;
        world.kill(1).await;
        world.kill(3).await;
        world.pass(40).await;
        world.check_no_fork();
        // At least as many as with the Python program alone.
        assert!(
            world.heights()[0] >= 40,
            "mixture {mixture:05b}: {:?}",
            world.heights()
        );
        for returning in [1, 3] {
            if is_ours(mixture, returning) {
                world.start_ours(returning);
            } else {
                world.start_python(returning);
            }
        }
        world.pass(20).await;
        world.check_no_fork();
        assert!(
            world.heights()[0] >= 62,
            "mixture {mixture:05b}: {:?}",
            world.heights()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn operators_change_one_at_a_time_while_blocks_continue() {
    let mut world = World::new();
    for index in 0..OPERATORS.into() {
        world.start_python(index);
    }
    world.pass(3).await;
    for index in 0..OPERATORS.into() {
        let before = world.heights()[0];
        world.kill(index).await;
        world.pass(1).await;
        world.start_ours(index);
        world.pass(4).await;
        let after = world.heights()[0];
        assert!(after >= before + 4, "operator {index}: {before} to {after}");
    }
    world.pass(6).await;
    world.check_no_fork();
    assert!(world.heights()[0] >= 33, "{:?}", world.heights());
}

#[tokio::test(start_paused = true)]
async fn clocks_may_differ_by_a_few_seconds() {
    let mut world = World::new();
    for index in 0..OPERATORS.into() {
        let ahead = [0, 3_000, -2_500, 1_000, -500][index];
        if index % 2 == 0 {
            world.start_ours_at(index, ahead);
        } else {
            world.start_python_at(index, ahead);
        }
    }
    world.pass(20).await;
    world.check_no_fork();
    assert!(world.heights()[0] >= 19, "{:?}", world.heights());
}

#[tokio::test(start_paused = true)]
async fn garbage_and_proposals_of_the_wrong_operator_are_dropped() {
    let mut world = World::new();
    for index in 0..4 {
        world.start_ours(index);
    }
    // The fifth operator floods the others with garbage and with proposals that the nodes accept as
    // valid.
    let (network, node) = (world.network.clone(), world.chain.node(4));
    let attack = tokio::spawn(async move {
        use federation_ocean_rpc::Node;
        use hex_conservative::DisplayHex;
        loop {
            let block = node
                .new_block()
                .await
                .expect("a block")
                .to_lower_hex_string();
            let height = node.block_count().await.expect("a height").next();
            let proposal = format!(r#"{{"height": {height}, "block": {{"blockhex": "{block}"}}}}"#);
            let invalid = format!(r#"{{"height": {height}, "sig": {{"blocksig": "00"}}}}"#);
            for text in ["{", "", "[]", &proposal, &invalid] {
                network.send(4, &("10".to_owned(), text.to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    });
    world.pass(40).await;
    attack.abort();
    world.check_no_fork();
    // One turn of five is lost and caught up at half the interval.
    assert!(world.heights()[0] >= 38, "{:?}", world.heights());
    for height in 1..=world.heights()[0] {
        assert_ne!(world.chain.proposer(height), 4, "height {height}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_cannot_record_what_it_signs_stops() {
    let mut world = World::new();
    for index in 1..OPERATORS.into() {
        world.start_python(index);
    }
    let schedule = Schedule::new(INTERVAL, OPERATORS.into()).expect("a schedule");
    let node = world.chain.node(0);
    let genesis = federation_chain::BlockHash::from_bytes([1; 32]);
    let folder = world.folder.path().join("0");
    let guard = TurnGuard::new(GuardFile::open(&folder, genesis, 0).expect("a guard"));
    // From now on the next record cannot be written, as a folder cannot be replaced by a file.
    std::fs::remove_file(folder.join("classic.guard")).expect("removed");
    std::fs::create_dir(folder.join("classic.guard")).expect("created");
    let operator = Operator::new(
        Config::new(world.chain.rules.clone(), schedule, 0),
        node.clone(),
        Arc::new(world.network.join(0)),
        node,
        guard,
    );
    let operator = operator.with_clock(world.clock(0));
    let ended = operator.run(CancellationToken::new()).await;
    assert!(
        matches!(ended, Err(federation_classic::OperatorError::Guard(_))),
        "{ended:?}"
    );
}
