//! Faults injected during the fault phase, and the quiescent phase after it.

use federation_chain::BlockHeight;

use crate::Input;

use super::{
    chain::Node,
    check::Violation,
    coverage::CoveragePoint,
    scenario::Scenario,
    world::{SimEvent, World},
};

impl World {
    pub(super) fn end_faults(&mut self) -> Result<(), Violation> {
        self.trace_line(|| "-- end of faults".to_owned());
        self.faults_active = false;
        self.split(false);
        self.quiescent_since = self.now;
        self.settle_flips();
        let highest = self.living().map(|slot| slot.node.height().to_u32()).max();
        self.goal = BlockHeight::new(highest.unwrap_or(0) + self.scenario.goal);
        for slot in 0..self.slots.len() {
            if self.slots[slot].honest {
                self.sides.set(slot, 0);
            } else if self.scenario.silenced && !self.is_duplicate(slot) {
                self.slots[slot].dead = true;
                self.slots[slot].machine = None;
            }
            if self.slots[slot].machine.is_none() {
                self.restart(slot)?;
            }
        }
        Ok(())
    }

    /// Changes partitions and clocks from time to time in the fault phase, and makes an operator
    /// lose its store.
    pub(super) fn inject_faults(&mut self) -> Result<(), Violation> {
        if !self.faults_active {
            return Ok(());
        }
        let split = self.scenario.partitions && self.rng.chance(600);
        self.split(split);
        for slot in 0..self.slots.len() {
            for from in 0..self.slots.len() {
                self.kind_loss[slot][from] = self.pick_lost_kinds();
            }
            let side = u8::from(self.rng.chance(500));
            if self.slots[slot].honest {
                self.sides.set(slot, side);
            }
            if self.scenario.skew > 0 && self.rng.chance(300) {
                let skew = self.rng.below(2 * self.scenario.skew).cast_signed();
                self.slots[slot].skew = skew - self.scenario.skew.cast_signed();
                self.cover(CoveragePoint::WrongClock);
                self.step(slot, Input::Tick)?;
            }
        }
        if self.scenario.amnesia && !self.store_lost && self.now > 0 && self.rng.chance(300) {
            let slot = self.rng.index(self.slots.len());
            if self.slots[slot].honest && !self.slots[slot].dead {
                self.store_lost = true;
                self.cover(CoveragePoint::LostStore);
                self.trace_line(|| format!("slot {slot} loses its store"));
                self.slots[slot].store.clear();
                self.slots[slot].guard.clear();
                if self.rng.chance(500) {
                    self.cover(CoveragePoint::LostNode);
                    self.slots[slot].node = Node::new();
                }
                self.slots[slot].amnesic = true;
                self.crash(slot);
            }
        }
        let longest = if self.scenario.fast_timeouts {
            300
        } else {
            1000
        };
        let pause = self.rng.between(50, longest);
        self.schedule(pause, SimEvent::Faults);
        Ok(())
    }

    fn split(&mut self, split: bool) {
        if core::mem::replace(&mut self.split, split) && !split {
            self.cover(CoveragePoint::PartitionHealed);
        }
    }

    fn pick_lost_kinds(&mut self) -> u32 {
        let Scenario {
            kind_loss,
            vote_loss,
            ..
        } = self.scenario;
        let mut kinds = 0;
        for kind in 1..=10 {
            let vote = (3..=6).contains(&kind) || kind == 9;
            if self.rng.chance(if vote {
                kind_loss.max(vote_loss)
            } else {
                kind_loss
            }) {
                kinds |= 1 << kind;
            }
        }
        kinds
    }
}
