//! A leader's proposal.

use federation_chain::UnixTime;
use federation_roster::OperatorId;

use crate::{IdentitySignature, Machine, Proposal};

impl Machine {
    /// R3: only the round's leader proposes.
    pub(crate) fn on_proposal(
        &mut self,
        now: UnixTime,
        sender: OperatorId,
        proposal: Proposal,
        signature: IdentitySignature,
    ) {
        if sender != self.config.leader(proposal.height, proposal.round) {
            return;
        }
        let Some((keeper, window)) = self.keeper_for(proposal.height) else {
            return;
        };
        let evidence = keeper.add_proposal(window, sender, proposal, Some(signature));
        // R22: the body of a fresh block follows unasked.
        let follows = proposal.valid_round.is_none() && keeper.bodies.any(proposal.hash).is_none();
        if follows && sender != self.config.me() {
            self.timing.expect(sender, proposal.hash, now);
        }
        self.out.evidence(evidence); // R23
    }
}
