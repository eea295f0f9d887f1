//! What the storm does now and then, and the calm after it.

use federation_chain::BlockHeight;

use crate::Input;

use super::{
    chain::Node,
    check::Breach,
    exercise::Exercise,
    scenario::Scenario,
    world::{Happening, World},
};

impl World {
    pub(super) fn calm(&mut self) -> Result<(), Breach> {
        self.note(|| "-- calm".to_owned());
        self.storm = false;
        self.split(false);
        self.calm_since = self.now;
        self.settle_flips();
        let highest = self.living().map(|slot| slot.node.height().to_u32()).max();
        self.goal = BlockHeight::new(highest.unwrap_or(0) + self.scenario.goal);
        for slot in 0..self.slots.len() {
            if self.slots[slot].honest {
                self.sides.set(slot, 0);
            } else if self.scenario.silenced && !self.is_doubled(slot) {
                self.slots[slot].dead = true;
                self.slots[slot].machine = None;
            }
            if self.slots[slot].machine.is_none() {
                self.restart(slot)?;
            }
        }
        Ok(())
    }

    /// Now and then in the storm: partitions, clocks, a lost memory.
    pub(super) fn weather(&mut self) -> Result<(), Breach> {
        if !self.storm {
            return Ok(());
        }
        let split = self.scenario.partitions && self.rng.chance(600);
        self.split(split);
        for slot in 0..self.slots.len() {
            for from in 0..self.slots.len() {
                self.deaf[slot][from] = self.kinds_unheard();
            }
            let side = u8::from(self.rng.chance(500));
            if self.slots[slot].honest {
                self.sides.set(slot, side);
            }
            if self.scenario.skew > 0 && self.rng.chance(300) {
                let skew = self.rng.below(2 * self.scenario.skew).cast_signed();
                self.slots[slot].skew = skew - self.scenario.skew.cast_signed();
                self.count(Exercise::WrongClock);
                self.step(slot, Input::Tick)?;
            }
        }
        if self.scenario.amnesia && !self.forgot && self.now > 0 && self.rng.chance(300) {
            let slot = self.rng.index(self.slots.len());
            if self.slots[slot].honest && !self.slots[slot].dead {
                self.forgot = true;
                self.count(Exercise::LostMemory);
                self.note(|| format!("slot {slot} loses its memory"));
                self.slots[slot].store.clear();
                self.slots[slot].guard.clear();
                if self.rng.chance(500) {
                    self.count(Exercise::LostNode);
                    self.slots[slot].node = Node::new();
                }
                self.slots[slot].amnesic = true;
                self.crash(slot);
            }
        }
        let longest = if self.scenario.hasty { 300 } else { 1000 };
        let pause = self.rng.between(50, longest);
        self.later(pause, Happening::Weather);
        Ok(())
    }

    fn split(&mut self, split: bool) {
        if core::mem::replace(&mut self.split, split) && !split {
            self.count(Exercise::Healing);
        }
    }

    fn kinds_unheard(&mut self) -> u32 {
        let Scenario { deaf, secrets, .. } = self.scenario;
        let mut kinds = 0;
        for kind in 1..=10 {
            let vote = (3..=6).contains(&kind) || kind == 9;
            if self.rng.chance(if vote { deaf.max(secrets) } else { deaf }) {
                kinds |= 1 << kind;
            }
        }
        kinds
    }
}
