//! Blocks that nodes reject: all of them in the fault phase, or some from the moment an operator
//! holds a proof of lock for them, as when a parent chain's nodes go away or reorganise.

use std::collections::BTreeSet;

use federation_chain::BlockHash;

use crate::{Candidate, Record, VoteKind, bodies::Validity};

use super::{coverage::CoveragePoint, rng::mix, world::World};

/// The reason for which nodes reject a block with nothing wrong in its bytes.
const REFUSAL: &str = "bad-peg-in";

impl World {
    /// Returns the verdict of a slot's node on a block.
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

    /// Returns the verdict of a slot's node on a proposed block: in the fault phase some are
    /// rejected, by the other operators' nodes too.
    pub(super) fn check_proposal(
        &self,
        slot: usize,
        candidate: &Candidate,
    ) -> Result<(), &'static str> {
        self.check_block(slot, candidate)?;
        let [first, second, ..] = *candidate.hash.as_bytes();
        let dice = mix(u64::from(u16::from_be_bytes([first, second])) ^ self.scenario.seed);
        if self.faults_active && (self.outage || dice % 1000 < self.scenario.refusals) {
            return Err(REFUSAL);
        }
        Ok(())
    }

    /// Decides, when an operator holds a proof of lock, whether its block becomes invalid now, at
    /// some nodes or at all.
    pub(super) fn flip(&mut self, slot: usize) {
        let chance = self.scenario.flips;
        let state = &self.slots[slot];
        if !self.faults_active || chance == 0 || !state.honest {
            return;
        }
        let machine = state.machine.as_ref();
        let height = machine.and_then(|machine| machine.height.as_ref());
        let latest = height.and_then(|height| height.keeper.proofs.latest().next());
        let Some((height, hash)) = latest.map(|proof| (proof.height, proof.hash)) else {
            return;
        };
        if self.proven.insert(hash, height).is_some() || !self.rng.chance(chance) {
            return;
        }
        let at_all = self.rng.chance(500);
        // What makes this one invalid everywhere also invalidates all others, until the quiescent
        // phase.
        self.outage |= at_all;
        for refused in &mut self.refused {
            if at_all || self.rng.chance(500) {
                refused.insert(hash);
            }
        }
        self.cover(CoveragePoint::ValidityFlip);
        self.trace_line(|| format!("nodes refuse {hash} from now on"));
    }

    /// Lets all nodes accept a decided block again: it is the next one, and sooner or later they
    /// accept it.
    pub(super) fn accept_again(&mut self, hash: BlockHash) {
        if !self.faults_active {
            for refused in &mut self.refused {
                refused.remove(&hash);
            }
        }
    }

    /// Ends the rejection of blocks in the quiescent phase unless the federation can do without
    /// them: if enough honest operators are free to vote for others, and liars cannot make any of
    /// them lock one.
    pub(super) fn settle_flips(&mut self) {
        let hashes: BTreeSet<BlockHash> = self.refused.iter().flatten().copied().collect();
        let is_bound = |record: &Record| hashes.iter().any(|hash| is_lock(record, *hash));
        let free = self.living().filter(|slot| !slot.amnesic);
        let free = free.filter(|slot| !slot.records().any(|record| is_bound(&record)));
        let enough = free.count() >= self.scenario.threshold;
        let best = self.living().map(|slot| slot.node.height()).max();
        for hash in hashes {
            // Laggards need the block of a height that is over.
            let is_open = self.proven.get(&hash).copied() > best;
            let is_safe = self.scenario.liars == 0 || self.no_honest_vote(hash);
            if enough && is_open && is_safe {
                self.cover(CoveragePoint::RefusedWhileQuiescent);
            } else {
                self.accept_again(hash);
            }
        }
    }

    /// Reconsiders the rejected blocks when an operator becomes locked on one of them in the
    /// quiescent phase, by votes of the fault phase.
    pub(super) fn check_refused_lock(&mut self, record: &Record) {
        let is_refused = |hash: &&BlockHash| is_lock(record, **hash);
        let locked = self.refused.iter().flatten().find(is_refused);
        if !self.faults_active && locked.is_some() {
            self.settle_flips();
        }
    }

    /// Whether all honest nodes reject a block, and no machine remembers otherwise.
    fn no_honest_vote(&self, hash: BlockHash) -> bool {
        let slots = self.slots.iter().zip(&self.refused);
        let mut honest = slots.filter(|(slot, _)| slot.honest && !slot.dead);
        honest.all(|(slot, refused)| {
            let machine = slot.machine.as_ref();
            let height = machine.and_then(|machine| machine.height.as_ref());
            let validity = height.and_then(|h| h.keeper.bodies.validity(hash));
            let voted = validity == Some(&Validity::Valid);
            refused.contains(&hash) && !voted && !slot.records().any(|r| is_lock(&r, hash))
        })
    }

    /// Whether a leader asks for a fresh block because its node rejects the proven one.
    pub(super) fn leaves_out(&self, slot: usize) -> bool {
        let machine = self.slots[slot].machine.as_ref();
        let height = machine.and_then(|machine| machine.height.as_ref());
        height.is_some_and(|height| {
            let proofs = height.keeper.proofs.below(height.round);
            let bodies = &height.keeper.bodies;
            let mut hashes = proofs.map(|proof| proof.hash);
            hashes.any(|hash| bodies.refused(hash) && bodies.usable(hash).is_some())
        })
    }
}

fn is_lock(record: &Record, hash: BlockHash) -> bool {
    let precommit = |vote: &crate::Vote| vote.kind == VoteKind::Precommit;
    matches!(record, Record::Vote(vote) if precommit(vote) && vote.value == Some(hash))
}
