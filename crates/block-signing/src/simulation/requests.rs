//! Bodies on request: who asks without need, and what it may get (rule R22).

use federation_chain::BlockHeight;
use federation_roster::OperatorId;

use crate::{BodyRequest, Message};

use super::{check::Breach, exercise::Exercise, world::World};

/// Requests of one lie.
pub(super) const GREED: usize = 8;

/// What one life of an operator sent to another at one height.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Granted {
    bodies: u64,
    since: u64,
}

impl World {
    /// Two bodies for each operator that asks at the height worked on, two once it is the last one, and
    /// one more for each longest round that goes by.
    pub(super) fn check_answer(
        &mut self,
        slot: usize,
        asker: OperatorId,
        height: BlockHeight,
    ) -> Result<(), Breach> {
        let state = &self.slots[slot];
        let (operator, honest) = (state.id, state.honest);
        let timeouts = state.config.timeouts();
        let longest = timeouts.limit.max(timeouts.propose).as_millis();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX).max(1);
        let key = (slot, state.life, asker, height);
        let since = self.now;
        let granted = self.granted.entry(key);
        let granted = granted.or_insert(Granted { bodies: 0, since });
        granted.bodies += 1;
        let most = 4 + (self.now - granted.since) / longest;
        let bodies = granted.bodies;
        self.count(Exercise::BodyOnRequest);
        if honest && bodies > most {
            return Err(Breach::Amplified {
                operator,
                asker,
                height,
                bodies,
            });
        }
        Ok(())
    }

    /// A call for a block that somebody else has, at the height that it works on or the one before.
    pub(super) fn greedy_request(&mut self, height: BlockHeight) -> Option<Message> {
        let place = self.rng.index(self.blocks.len());
        let block = self.blocks.get(place)?;
        let (found, hash) = (block.height, block.hash);
        let near = found == height || Some(found) == height.previous();
        let asked = self.slots[self.rng.index(self.slots.len())].id;
        near.then_some(Message::BodyRequest(BodyRequest {
            height: found,
            hash,
            asked,
        }))
    }
}
