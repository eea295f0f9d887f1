//! Blocks that nodes refuse: all of them through the storm, or some of them from the moment at which
//! somebody holds a proof of lock for it, as when a parent chain's nodes go away or reorganise.

use std::collections::BTreeSet;

use federation_chain::BlockHash;

use crate::{Candidate, Record, VoteKind, bodies::Judgement};

use super::{exercise::Exercise, rng::mix, world::World};

/// What nodes say of a block that they refuse though nothing is wrong with its bytes.
const REFUSAL: &str = "bad-peg-in";

impl World {
    /// What the node of a slot says of a block.
    pub(super) fn check_block(
        &self,
        slot: usize,
        candidate: &Candidate,
    ) -> Result<(), &'static str> {
        self.slots[slot].node.check(candidate)?;
        if self.refused[slot].contains(&candidate.hash) {
            return Err(REFUSAL);
        }
        Ok(())
    }

    /// What the node of a slot says of a block that is proposed: of some it hears nothing good as
    /// long as the storm lasts, and the others' nodes neither.
    pub(super) fn check_proposal(
        &self,
        slot: usize,
        candidate: &Candidate,
    ) -> Result<(), &'static str> {
        self.check_block(slot, candidate)?;
        let [first, second, ..] = *candidate.hash.as_bytes();
        let dice = mix(u64::from(u16::from_be_bytes([first, second])) ^ self.scenario.seed);
        if self.storm && (self.outage || dice % 1000 < self.scenario.refusals) {
            return Err(REFUSAL);
        }
        Ok(())
    }

    /// Somebody holds a proof of lock: its block may become invalid now, at some nodes or at all.
    pub(super) fn flip(&mut self, slot: usize) {
        let chance = self.scenario.flips;
        let state = &self.slots[slot];
        if !self.storm || chance == 0 || !state.honest {
            return;
        }
        let machine = state.machine.as_ref();
        let height = machine.and_then(|machine| machine.height.as_ref());
        let latest = height.and_then(|height| height.ballots.proofs.latest().next());
        let Some((height, hash)) = latest.map(|proof| (proof.height, proof.hash)) else {
            return;
        };
        if self.proven.insert(hash, height).is_some() || !self.rng.chance(chance) {
            return;
        }
        let at_all = self.rng.chance(500);
        // What makes this one invalid everywhere does so to all others, until the calm.
        self.outage |= at_all;
        for refused in &mut self.refused {
            if at_all || self.rng.chance(500) {
                refused.insert(hash);
            }
        }
        self.count(Exercise::ValidityFlip);
        self.note(|| format!("nodes refuse {hash} from now on"));
    }

    /// A decided block is the next one, and sooner or later all nodes see that.
    pub(super) fn accept_again(&mut self, hash: BlockHash) {
        if !self.storm {
            for refused in &mut self.refused {
                refused.remove(&hash);
            }
        }
    }

    /// In the calm blocks stay refused only if the federation can do without them: if enough honest
    /// operators are free to vote for others, and liars cannot bring any of them to lock one.
    pub(super) fn settle_flips(&mut self) {
        let hashes: BTreeSet<BlockHash> = self.refused.iter().flatten().copied().collect();
        let is_bound = |record: &Record| hashes.iter().any(|hash| is_lock(record, *hash));
        let free = self.living().filter(|slot| !slot.amnesic);
        let free = free.filter(|slot| !slot.records().any(|record| is_bound(&record)));
        let enough = free.count() >= self.scenario.threshold;
        let best = self.living().map(|slot| slot.node.height()).max();
        for hash in hashes {
            // Of a height that is over, laggards need the block.
            let is_open = self.proven.get(&hash).copied() > best;
            let is_safe = self.scenario.liars == 0 || self.no_honest_vote(hash);
            if enough && is_open && is_safe {
                self.count(Exercise::RefusedInCalm);
            } else {
                self.accept_again(hash);
            }
        }
    }

    /// Somebody may be locked on a refused block in the calm yet, by votes of the storm.
    pub(super) fn note_lock(&mut self, record: &Record) {
        let is_refused = |hash: &&BlockHash| is_lock(record, **hash);
        let locked = self.refused.iter().flatten().find(is_refused);
        if !self.storm && locked.is_some() {
            self.settle_flips();
        }
    }

    /// Whether all honest nodes refuse a block, and no machine remembers otherwise.
    fn no_honest_vote(&self, hash: BlockHash) -> bool {
        let slots = self.slots.iter().zip(&self.refused);
        let mut honest = slots.filter(|(slot, _)| slot.honest && !slot.dead);
        honest.all(|(slot, refused)| {
            let machine = slot.machine.as_ref();
            let height = machine.and_then(|machine| machine.height.as_ref());
            let judgement = height.and_then(|h| h.ballots.bodies.judgement(hash));
            let voted = judgement == Some(&Judgement::Valid);
            refused.contains(&hash) && !voted && !slot.records().any(|r| is_lock(&r, hash))
        })
    }

    /// Whether a leader asks for a fresh block because its node refuses the proven one.
    pub(super) fn leaves_out(&self, slot: usize) -> bool {
        let machine = self.slots[slot].machine.as_ref();
        let height = machine.and_then(|machine| machine.height.as_ref());
        height.is_some_and(|height| {
            let proofs = height.ballots.proofs.below(height.round);
            let bodies = &height.ballots.bodies;
            let mut hashes = proofs.map(|proof| proof.hash);
            hashes.any(|hash| bodies.refused(hash) && bodies.usable(hash).is_some())
        })
    }
}

fn is_lock(record: &Record, hash: BlockHash) -> bool {
    let precommit = |vote: &crate::Vote| vote.kind == VoteKind::Precommit;
    matches!(record, Record::Vote(vote) if precommit(vote) && vote.value == Some(hash))
}
