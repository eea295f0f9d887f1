//! Why signatures alone are not enough: the rule "sign what the leader proposes if your lock allows
//! it" makes two blocks of one height without a single lie. With the same deliveries this protocol
//! does not.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use federation_block_signing::{
    Message,
    simulation::{Frame, Scenario, World},
};
use federation_chain::BlockHash;

const THRESHOLD: usize = 3;

/// A node of the naive protocol. It signs a block when it first sees it, unless it is locked on
/// another one and the proposal brings no later votes as proof.
#[derive(Default)]
struct Naive {
    lock: Option<(u32, char)>,
}

impl Naive {
    fn signs(&mut self, round: u32, block: char, proof: Option<u32>) -> bool {
        let allowed = match self.lock {
            None => true,
            Some((_, locked)) if locked == block => true,
            Some((locked_in, _)) => proof > Some(locked_in),
        };
        if allowed {
            self.lock = Some((round, block));
        }
        allowed
    }
}

#[test]
fn naive_rule_forks_with_five_honest_nodes() {
    let mut nodes: BTreeMap<char, Naive> = "abcde"
        .chars()
        .map(|name| (name, Naive::default()))
        .collect();
    let mut signatures: BTreeMap<char, BTreeSet<char>> = BTreeMap::new();
    // round, block, proof, receivers of the proposal
    let deliveries = [
        (1, 'B', None, "a"),
        (2, 'C', None, "b"),
        (3, 'B', None, "cd"),
        (4, 'C', Some(2), "ae"),
    ];
    for (round, block, proof, reached) in deliveries {
        for name in reached.chars() {
            let node = nodes.get_mut(&name).expect("one of the five");
            if node.signs(round, block, proof) {
                signatures.entry(block).or_default().insert(name);
            }
        }
    }
    let complete = signatures
        .values()
        .filter(|signers| signers.len() >= THRESHOLD);
    assert_eq!(complete.count(), 2, "{signatures:?}");
}

#[test]
fn agreed_does_not_fork_in_the_same_schedule() {
    for seed in 0..100 {
        // The receivers of each proposal and its block in the first rounds of height 1.
        let reached: [&[u8]; 4] = [&[0], &[1], &[2, 3], &[0, 4]];
        let allowed: RefCell<BTreeMap<BlockHash, BTreeSet<u8>>> = RefCell::default();
        let mut scenario = Scenario::fault_free(seed);
        scenario.goal = 3;
        let mut world = World::new(scenario);
        world.set_filter(move |frame: &Frame, to| {
            let message = &frame.signed.message;
            if message.height().to_u32() > 1 {
                return true;
            }
            let mut allowed = allowed.borrow_mut();
            match message {
                Message::Proposal(p) => match reached.get(p.round.to_u32() as usize) {
                    Some(reached) => {
                        allowed.entry(p.hash).or_default().extend(*reached);
                        reached.contains(&to.to_u8())
                    }
                    None => {
                        allowed.entry(p.hash).or_default().extend(0..5);
                        true
                    }
                },
                Message::Body(body) => allowed
                    .get(&body.hash)
                    .is_some_and(|reached| reached.contains(&to.to_u8())),
                _ => true,
            }
        });
        let summary = world.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(summary.blocks, 3);
        assert!(summary.highest_round >= 2, "the schedule has an effect");
    }
}
