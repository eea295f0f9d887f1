//! Prevotes and precommits, this operator's own included.

use federation_roster::OperatorId;

use crate::{Machine, votes::SignedVote};

impl Machine {
    pub(crate) fn on_vote(&mut self, sender: OperatorId, signed_vote: SignedVote) {
        let quorum = self.config.quorum();
        let Some((keeper, window)) = self.keeper_for(signed_vote.vote.height) else {
            return;
        };
        let evidence = keeper.add_vote(window, quorum, sender, signed_vote);
        self.out.evidence(evidence); // R23
    }
}
