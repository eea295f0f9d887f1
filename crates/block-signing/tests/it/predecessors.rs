//! The ways in which the predecessors of this program came to two blocks of one height, or to a
//! chain that stopped with every operator up: each under a model of the old rules, and the same
//! trouble under `agreed`.
//!
//! The old rules (the Python federation of 2019): in each slot one operator proposes a block on its
//! tip; every operator with that tip signs it, whatever it signed before; with M signatures the
//! block is complete, and a node keeps the first complete block that it sees at a height.

use core::time::Duration;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use federation_block_signing::{
    Message,
    simulation::{Frame, Scenario, Summary, World},
};
use federation_chain::BlockHash;

/// A federation under the old rules. Blocks are letters; a tip is the letters of its chain.
struct Old {
    threshold: usize,
    tips: Vec<String>,
    /// The signers of each block, on each tip: all of it is on the wire for anyone to take.
    signed: BTreeMap<String, BTreeSet<usize>>,
}

impl Old {
    fn new(size: usize, threshold: usize) -> Self {
        Self {
            threshold,
            tips: vec![String::new(); size],
            signed: BTreeMap::new(),
        }
    }

    /// Proposes a block on the tip of `on`, made by anyone. It reaches some operators, which sign
    /// it if it builds on their tip. Returns whether it is complete.
    fn propose(&mut self, block: char, on: usize, reached: &[usize]) -> bool {
        let tip = self.tips[on].clone();
        let chain = format!("{tip}{block}");
        let signers = reached.iter().copied().filter(|id| self.tips[*id] == tip);
        let all = self.signed.entry(chain).or_default();
        all.extend(signers);
        all.len() >= self.threshold
    }

    /// Delivers a complete block to the nodes of some operators: they keep the first one of a
    /// height.
    fn relay(&mut self, chain: &str, reached: &[usize]) {
        for id in reached {
            if self.tips[*id].len() < chain.len() && chain.starts_with(self.tips[*id].as_str()) {
                self.tips[*id] = chain.to_owned();
            }
        }
    }

    /// Counts the complete blocks of a height.
    fn complete(&self, height: usize) -> usize {
        let blocks = self
            .signed
            .iter()
            .filter(|(chain, _)| chain.len() == height);
        blocks
            .filter(|(_, signers)| signers.len() >= self.threshold)
            .count()
    }
}

/// Runs a scenario over some seeds. The simulation checks that no two blocks can be complete, that
/// no operator signs twice, and that blocks are made afterwards.
#[track_caller]
fn agreed_stands(seeds: u64, scenario: impl Fn(u64) -> Scenario) -> Vec<Summary> {
    (0..seeds)
        .map(|seed| {
            let scenario = scenario(seed);
            assert!(scenario.must_progress(), "{scenario:?}");
            let mut world = World::new(scenario);
            world.run().unwrap_or_else(|failure| panic!("{failure}"))
        })
        .collect()
}

/// A scenario whose only fault is that nodes do not relay blocks until the fault phase of three
/// intervals is over.
fn unrelayed(size: usize, threshold: usize, seed: u64) -> Scenario {
    let mut scenario = Scenario::fault_free(seed);
    (scenario.size, scenario.threshold) = (size, threshold);
    scenario.fault_phase = Duration::from_secs(3);
    scenario.relay = false;
    scenario
}

/// The traffic of height 1 in a run: the blocks proposed, and those that were signed.
#[derive(Default)]
struct Wire {
    proposed: BTreeSet<BlockHash>,
    signed: BTreeMap<BlockHash, BTreeSet<u8>>,
    withheld: u32,
}

/// Runs `agreed` while `delivers` determines which of the first `withheld` messages of height 1 are
/// delivered to whom. After that everything arrives.
#[track_caller]
fn run_with_gaps(
    scenario: Scenario,
    withheld: u32,
    delivers: impl Fn(&Frame, u8) -> bool + 'static,
) -> (Summary, Rc<RefCell<Wire>>) {
    let wire: Rc<RefCell<Wire>> = Rc::default();
    let seen = Rc::clone(&wire);
    let mut world = World::new(scenario);
    world.set_filter(move |frame: &Frame, to| {
        let mut wire = seen.borrow_mut();
        if frame.signed.message.height().to_u32() != 1 {
            return true;
        }
        match &frame.signed.message {
            Message::Proposal(proposal) => {
                wire.proposed.insert(proposal.hash);
            }
            Message::BlockSignature(signed) => {
                let signers = wire.signed.entry(signed.hash).or_default();
                signers.insert(frame.signed.sender.to_u8());
            }
            _ => {}
        }
        if wire.withheld < withheld && !delivers(frame, to.to_u8()) {
            wire.withheld += 1;
            return false;
        }
        true
    });
    let summary = world.run().unwrap_or_else(|failure| panic!("{failure}"));
    (summary, wire)
}

/// Whether a message reveals how a height ends.
fn tells_the_end(message: &Message) -> bool {
    // Precommits, decisions and block signatures, by their numbers in docs/protocol.md.
    matches!(message.kind(), 4 | 6 | 7)
}

#[test]
fn next_proposer_that_has_not_seen_the_last_block_forked_two_of_three() {
    let mut old = Old::new(3, 2);
    assert!(old.propose('a', 0, &[0, 1]));
    old.relay("a", &[0]);
    // Operator 1 has not seen the block yet and it is its turn; operator 2 has seen nothing at all.
    assert!(old.propose('b', 1, &[1, 2]));
    old.relay("b", &[1, 2]);
    assert_eq!(old.complete(1), 2);
    assert_eq!(old.tips, ["a", "b", "b"]);
}

#[test]
fn next_proposer_that_has_not_seen_the_last_block_does_not_fork_agreed() {
    for seed in 0..50 {
        // Operator 2 leads the first round of height 2, and the second one of height 1.
        let scenario = unrelayed(3, 2, seed);
        let gap = |frame: &Frame, to: u8| to != 2 || !tells_the_end(&frame.signed.message);
        let (summary, wire) = run_with_gaps(scenario, 60, gap);
        let wire = wire.borrow();
        assert!(wire.withheld > 0 && summary.blocks >= 3);
        assert_eq!(
            wire.signed.len(),
            1,
            "one block is signed: {:?}",
            wire.signed
        );
    }
}

#[test]
fn two_complete_blocks_two_nodes_each_stopped_three_of_four_for_good() {
    let mut old = Old::new(4, 3);
    assert!(old.propose('a', 0, &[0, 1, 2]));
    old.relay("a", &[0]);
    assert!(old.propose('b', 1, &[1, 2, 3]));
    // Each block reaches two nodes before the other one does.
    old.relay("b", &[2, 3]);
    old.relay("a", &[1]);
    assert_eq!(old.complete(1), 2);
    // Every operator is up and connected to all: no proposer finds three with its tip again.
    let all = [0, 1, 2, 3];
    for (slot, block) in ('c'..='z').enumerate() {
        assert!(!old.propose(block, slot % 4, &all));
        old.relay("a", &all);
        old.relay("b", &all);
    }
}

#[test]
fn two_and_two_of_four_settle_on_one_block_under_agreed() {
    for seed in 0..50 {
        // Two of the four receive nothing about the first block's end, and go on to further rounds.
        let scenario = unrelayed(4, 3, seed);
        let gap = |frame: &Frame, to: u8| to < 2 || !tells_the_end(&frame.signed.message);
        let (summary, wire) = run_with_gaps(scenario, 60, gap);
        let wire = wire.borrow();
        assert!(wire.withheld > 0 && summary.blocks >= 3);
        assert_eq!(wire.signed.len(), 1, "{:?}", wire.signed);
    }
}

#[test]
fn split_two_and_two_neither_half_makes_a_block_and_the_whole_does_under_agreed() {
    for seed in 0..50 {
        let mut scenario = unrelayed(4, 3, seed);
        scenario.fault_phase = Duration::from_secs(6);
        let gap = |frame: &Frame, to: u8| frame.signed.sender.to_u8() / 2 == to / 2;
        let (summary, wire) = run_with_gaps(scenario, 200, gap);
        let wire = wire.borrow();
        assert_eq!(wire.withheld, 200);
        assert!(summary.blocks >= 3);
        assert_eq!(wire.signed.len(), 1, "{:?}", wire.signed);
    }
}

#[test]
fn signing_once_without_agreeing_first_strands_five_operators_two_two_and_one() {
    // The obvious fix, one signature per height and operator, stops the chain.
    let mut signed: BTreeMap<usize, char> = BTreeMap::new();
    for (block, reached) in [('a', [0, 1].as_slice()), ('b', &[2, 3]), ('c', &[4])] {
        for id in reached {
            signed.entry(*id).or_insert(block);
        }
    }
    for block in 'a'..='z' {
        let for_it = (0..5).filter(|id| *signed.entry(*id).or_insert(block) == block);
        assert!(for_it.count() < 3);
    }
}

#[test]
fn operators_that_saw_three_different_proposals_agree_on_one_block() {
    for seed in 0..50 {
        // Proposals and blocks of rounds 0 to 2 reach only some, as in the split of signatures.
        let reached: [&[u8]; 3] = [&[0, 1], &[2, 3], &[4]];
        let bodies: RefCell<BTreeMap<BlockHash, &[u8]>> = RefCell::default();
        let scenario = unrelayed(5, 3, seed);
        let gap = move |frame: &Frame, to: u8| match &frame.signed.message {
            Message::Proposal(p) => match reached.get(p.round.to_u32() as usize) {
                Some(reached) => {
                    bodies.borrow_mut().entry(p.hash).or_insert(*reached);
                    reached.contains(&to)
                }
                None => true,
            },
            Message::Body(body) => {
                let bodies = bodies.borrow();
                bodies
                    .get(&body.hash)
                    .is_none_or(|to_some| to_some.contains(&to))
            }
            _ => true,
        };
        let (summary, wire) = run_with_gaps(scenario, 200, gap);
        let wire = wire.borrow();
        assert!(wire.proposed.len() >= 2 && summary.blocks >= 3);
        assert_eq!(wire.signed.len(), 1, "{:?}", wire.signed);
    }
}

#[test]
fn submission_that_takes_longer_than_a_slot_forked() {
    let mut old = Old::new(3, 2);
    assert!(old.propose('a', 0, &[0, 1, 2]));
    // The node is slow to answer `submitblock`; the next slot begins.
    assert!(old.propose('b', 1, &[0, 1, 2]));
    assert_eq!(old.complete(1), 2);
}

#[test]
fn submission_that_takes_longer_than_an_interval_does_not_fork_agreed() {
    let summaries = agreed_stands(50, |seed| {
        let mut scenario = unrelayed(3, 2, seed);
        scenario.slow_node = 2500;
        scenario
    });
    assert!(summaries.iter().any(|summary| summary.highest_round > 0));
}

#[test]
fn clocks_apart_by_a_third_of_a_slot_forked() {
    let mut old = Old::new(3, 2);
    // By their clocks it is the turn of both at once; an operator that receives both signs both.
    let first = old.propose('a', 0, &[0, 2]);
    let second = old.propose('b', 1, &[1, 2]);
    assert!(first && second);
    assert_eq!(old.complete(1), 2);
}

#[test]
fn clocks_apart_by_two_intervals_do_not_fork_agreed() {
    agreed_stands(50, |seed| {
        let mut scenario = unrelayed(3, 2, seed);
        scenario.skew = 2000;
        scenario
    });
}

#[test]
fn replayed_proposal_forked() {
    let mut old = Old::new(3, 2);
    assert!(!old.propose('a', 0, &[0]), "no other operator receives it");
    assert!(old.propose('b', 1, &[1, 2]));
    // The queue is read from its beginning again: the stale proposal wins.
    assert!(old.propose('a', 0, &[0, 2]));
    assert_eq!(old.complete(1), 2);
}

#[test]
fn replayed_messages_do_not_fork_agreed() {
    agreed_stands(50, |seed| {
        let mut scenario = unrelayed(3, 2, seed);
        (scenario.replays, scenario.loss) = (1000, 300);
        scenario
    });
}

#[test]
fn restart_forked() {
    let mut old = Old::new(3, 2);
    assert!(old.propose('a', 0, &[0, 1]));
    // Operator 1 restarts before it saw the block, and remembers no signature.
    assert!(old.propose('b', 2, &[1, 2]));
    assert_eq!(old.complete(1), 2);
}

#[test]
fn restarts_at_every_step_do_not_fork_agreed() {
    let summaries = agreed_stands(50, |seed| {
        let mut scenario = unrelayed(3, 2, seed);
        (scenario.crashes, scenario.loss) = (150, 200);
        // Back within a tenth of a second, so that there are many restarts.
        scenario.fast_timeouts = true;
        scenario
    });
    assert!(summaries.iter().map(|summary| summary.crashes).sum::<u32>() > 500);
}

#[test]
fn publisher_without_a_key_and_two_processes_with_one_key_forked() {
    let mut old = Old::new(4, 3);
    // Blocks from any publisher are signed, and by both processes of one operator.
    assert!(old.propose('a', 3, &[0, 1, 3]));
    assert!(old.propose('b', 3, &[0, 2, 3]));
    assert_eq!(old.complete(1), 2);
}

#[test]
fn two_processes_with_one_key_and_separate_stores_do_not_fork_agreed() {
    // Each is on one side of a split network, both are taken for the same operator, and its key
    // signs anything else as well. A publisher without a key is ignored: nothing it sends verifies.
    let summaries = agreed_stands(50, |seed| {
        let mut scenario = unrelayed(4, 3, seed);
        (scenario.liars, scenario.partitions) = (1, true);
        scenario.fault_phase = Duration::from_secs(5);
        scenario
    });
    assert!(summaries.iter().any(|summary| summary.evidence > 0));
}

#[test]
fn signatures_of_an_abandoned_block_completed_it_next_to_another() {
    let mut old = Old::new(4, 3);
    assert!(
        !old.propose('a', 0, &[0, 1]),
        "its slot ends with two signatures"
    );
    assert!(old.propose('b', 1, &[1, 2, 3]));
    // A late third signature on the wire, and anyone can complete the abandoned block.
    assert!(old.propose('a', 0, &[2]));
    assert_eq!(old.complete(1), 2);
}

#[test]
fn agreed_never_sends_a_signature_of_an_abandoned_block() {
    let mut abandoned = 0;
    for seed in 0..100 {
        let mut scenario = unrelayed(4, 3, seed);
        (scenario.loss, scenario.crashes) = (350, 20);
        let (_, wire) = run_with_gaps(scenario, 0, |_, _| true);
        let wire = wire.borrow();
        assert!(wire.signed.len() <= 1, "{:?}", wire.signed);
        abandoned += usize::from(wire.proposed.len() > wire.signed.len());
    }
    assert!(
        abandoned > 20,
        "blocks were abandoned in only {abandoned} runs"
    );
}
