//! Body requests: liars that request without need, and the limit of what they may get (rule R22).

use federation_chain::BlockHeight;
use federation_roster::OperatorId;

use crate::{BodyRequest, Message};

use super::{check::Violation, coverage::CoveragePoint, world::World};

/// How often a liar repeats one request.
pub(super) const REQUESTS_PER_LIE: usize = 8;

/// The bodies that one life of an operator sent to another at one height.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    bodies: u64,
    since: u64,
}

impl World {
    /// Checks a reply: an operator may get two bodies at the current height, two more once it is
    /// the last one, and one more for each longest possible round that passes.
    pub(super) fn check_reply(
        &mut self,
        slot: usize,
        requester: OperatorId,
        height: BlockHeight,
    ) -> Result<(), Violation> {
        let state = &self.slots[slot];
        let (operator, honest) = (state.id, state.honest);
        let timeouts = state.config.timeouts();
        let longest = timeouts.limit.max(timeouts.propose).as_millis();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX).max(1);
        let key = (slot, state.life, requester, height);
        let since = self.now;
        let allowances = self.allowances.entry(key);
        let allowance = allowances.or_insert(Allowance { bodies: 0, since });
        allowance.bodies += 1;
        let most = 4 + (self.now - allowance.since) / longest;
        let bodies = allowance.bodies;
        self.cover(CoveragePoint::BodyOnRequest);
        if honest && bodies > most {
            return Err(Violation::Amplified {
                operator,
                requester,
                height,
                bodies,
            });
        }
        Ok(())
    }

    /// Makes a request for a block that another operator has, at the current height or the one
    /// before.
    pub(super) fn repeated_request(&mut self, height: BlockHeight) -> Option<Message> {
        let index = self.rng.index(self.blocks.len());
        let block = self.blocks.get(index)?;
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
