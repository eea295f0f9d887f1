//! The node's fresh block for a round that this operator leads.

use federation_chain::{BlockHeight, UnixTime};
use federation_roster::Round;

use crate::{Candidate, Machine, state::RequestState};

impl Machine {
    /// R4: proposes the template if there is still time.
    pub(crate) fn on_template(
        &mut self,
        now: UnixTime,
        height: BlockHeight,
        round: Round,
        candidate: Candidate,
    ) {
        if self.current(height).is_none() || self.observing() {
            return;
        }
        if let Some(mut rules) = self.rules(now) {
            rules.propose_template(round, candidate);
        }
    }

    /// R4, R20: the node is asked again at the next retransmission, if there is time.
    pub(crate) fn on_template_failed(&mut self, height: BlockHeight, round: Round) {
        if let Some(current) = self.current(height)
            && current.round == round
            && current.template == RequestState::Pending
        {
            current.template = RequestState::Failed;
        }
    }
}
