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
        let Some((ballots, window)) = self.collection(proposal.height) else {
            return;
        };
        let evidence = ballots.add_proposal(window, sender, proposal, Some(signature));
        // R22: a fresh block's body follows by itself.
        let follows = proposal.valid_round.is_none() && ballots.bodies.any(proposal.hash).is_none();
        if follows && sender != self.config.me() {
            self.pace.expect(sender, proposal.hash, now);
        }
        self.out.evidence(evidence); // R23
    }
}
