//! A prevote or precommit, the own ones too.

use federation_roster::OperatorId;

use crate::{Machine, votes::Cast};

impl Machine {
    pub(crate) fn on_vote(&mut self, sender: OperatorId, cast: Cast) {
        let quorum = self.config.quorum();
        let Some((ballots, window)) = self.collection(cast.vote.height) else {
            return;
        };
        let evidence = ballots.add_vote(window, quorum, sender, cast);
        self.out.evidence(evidence); // R23
    }
}
