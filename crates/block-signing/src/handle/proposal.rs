//! A leader's proposal.

use federation_roster::OperatorId;

use crate::{IdentitySignature, Machine, Proposal};

impl Machine {
    /// R3: only the round's leader proposes.
    pub(crate) fn on_proposal(
        &mut self,
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
        self.out.evidence(evidence); // R23
    }
}
