//! Answers of nodes, guards and signers, and the relay of blocks between nodes.

use crate::{Candidate, CompactSignature, Input, Phase, SubmitOutcome};

use super::{
    chain::digest,
    check::Violation,
    coverage::CoveragePoint,
    world::{SimEvent, World, wide},
};

impl World {
    pub(super) fn node_fails(&mut self) -> bool {
        let fails = self.faults_active && self.rng.chance(self.scenario.node_failures);
        if fails {
            self.cover(CoveragePoint::NodeFailure);
        }
        fails
    }

    pub(super) fn node_delay(&mut self) -> u64 {
        let slowest = if self.faults_active {
            self.scenario.slow_node
        } else {
            20
        };
        let delay = self.rng.between(1, slowest.max(1));
        if delay > 300 {
            self.cover(CoveragePoint::SlowNode);
        }
        delay
    }

    pub(super) fn remember_block(&mut self, candidate: &Candidate) {
        if self.blocks.len() >= 64 {
            self.blocks.remove(0);
        }
        self.blocks.push(candidate.clone());
    }

    pub(super) fn sign(&mut self, slot: usize, candidate: &Candidate) -> Result<(), Violation> {
        let (height, hash) = (candidate.height, candidate.hash);
        let state = &mut self.slots[slot];
        let operator = state.id;
        let phase = state.machine.as_ref().map(|m| m.status().phase);
        if state.honest && phase != Some(Phase::Decided) && !self.scenario.only_forks {
            return Err(Violation::SignedUndecided { operator, height });
        }
        #[cfg(test)]
        if state.guard_broken {
            let input = Input::SignRefused {
                height,
                hash,
                reason: "the guard's store failed".to_owned(),
            };
            self.feed(slot, 1, input);
            return Ok(());
        }
        if state.honest && self.faults_active && self.rng.chance(self.scenario.guard_failures) {
            self.cover(CoveragePoint::GuardFailure);
            #[cfg(test)]
            if self.ignore_guard_failure {
                self.slots[slot].guard_broken = true;
                return self.sign(slot, candidate);
            }
            // R28: the operator stops, and its service manager opens the store again.
            self.crash(slot);
            return Ok(());
        }
        if self.slots[slot].honest && self.node_fails() {
            // A key fails as nodes do, after its guard has allowed the block.
            let _ = self.slots[slot].guard(height, hash);
            self.feed(slot, 5, Input::SignUnavailable { height, hash });
            return Ok(());
        }
        let state = &mut self.slots[slot];
        let input = match state.guard(height, hash) {
            Ok(()) => {
                if state.honest {
                    self.cover(CoveragePoint::SignatureChecked);
                    self.checker.signed(operator, height, hash)?;
                }
                Input::Signed {
                    height,
                    hash,
                    signature: CompactSignature::from_bytes(wide(digest(&[
                        operator.to_u8(),
                        hash.as_bytes()[0],
                    ]))),
                }
            }
            Err(reason) => Input::SignRefused {
                height,
                hash,
                reason,
            },
        };
        let delay = self.rng.between(1, 5);
        self.feed(slot, delay, input);
        Ok(())
    }

    pub(super) fn submit(
        &mut self,
        slot: usize,
        block: Candidate,
        enough: bool,
    ) -> Result<(), Violation> {
        let (height, hash) = (block.height, block.hash);
        let fails = self.node_fails();
        let known = self.slots[slot].node.chain.iter().any(|b| b.hash == hash);
        let outcome = if fails {
            SubmitOutcome::Unavailable
        } else if !enough {
            SubmitOutcome::Rejected("not enough signatures".to_owned())
        } else if known {
            SubmitOutcome::Accepted
        } else {
            match self.check_block(slot, &block) {
                Ok(()) => {
                    self.accept(slot, block)?;
                    SubmitOutcome::Accepted
                }
                Err(reason) => SubmitOutcome::Rejected(reason.to_owned()),
            }
        };
        let delay = self.node_delay();
        let input = Input::Submitted {
            height,
            hash,
            outcome,
        };
        self.feed(slot, delay, input);
        Ok(())
    }

    /// Lets a node accept a block, report it to its operator, and relay it.
    fn accept(&mut self, slot: usize, block: Candidate) -> Result<(), Violation> {
        let id = self.slots[slot].id;
        self.trace_line(|| {
            let Candidate { height, hash, .. } = &block;
            format!("node of operator {id} (slot {slot}) has block {height} {hash}")
        });
        if self.slots[slot].honest {
            self.cover(CoveragePoint::AcceptanceChecked);
            self.checker.accepted(block.height, block.hash)?;
        }
        self.slots[slot].node.chain.push(block.clone());
        let tip = self.slots[slot].node.tip();
        let delay = self.node_delay();
        self.feed(slot, delay, Input::Tip(tip));
        self.replay_decision(slot);
        for other in 0..self.slots.len() {
            if other != slot && self.relays() && self.can_reach(slot, other) {
                let delay = self.frame_delay();
                let block = block.clone();
                self.schedule(delay, SimEvent::Relay { slot: other, block });
            }
        }
        Ok(())
    }

    const fn relays(&self) -> bool {
        self.scenario.relay || !self.faults_active
    }

    pub(super) fn relay(&mut self, slot: usize, block: &Candidate) -> Result<(), Violation> {
        if self.check_block(slot, block).is_ok() {
            self.accept(slot, block.clone())?;
        }
        Ok(())
    }

    /// Lets a node that is behind fetch missing blocks from a random other node.
    pub(super) fn sync(&mut self, slot: usize) -> Result<(), Violation> {
        let pause = self.rng.between(300, 700);
        self.schedule(pause, SimEvent::Sync { slot });
        let other = self.rng.index(self.slots.len());
        if !self.relays() || !self.can_reach(slot, other) {
            return Ok(());
        }
        let have = self.slots[slot].node.chain.len();
        let missing = self.slots[other].node.chain.iter().skip(have);
        let missing: Vec<Candidate> = missing.cloned().collect();
        for block in missing {
            self.relay(slot, &block)?;
        }
        Ok(())
    }
}
