//! What must hold between the rules, checked in debug builds.

use crate::{Message, VoteKind, state::Step, vote_keeper::Window};

use super::Rules;

impl Rules<'_> {
    /// R25, R29: broadcasts a message. Whatever it states in this operator's name is on record: in
    /// the store already, or among the records of this batch, which come first.
    pub(super) fn send(&mut self, message: Message) {
        debug_assert!(
            self.height.own.sent(&message),
            "R25: sent without a record: {message:?}"
        );
        debug_assert!(!self.observing, "R29: sent by an observer: {message:?}");
        self.out.send(message);
    }

    /// Checks the state after all rules were applied.
    pub(super) fn check_invariants(&self) {
        let (round, own) = (self.height.round, &self.height.own);
        debug_assert!(
            self.keeper().is_within(Window::around(round, self.config)),
            "R27: votes or proofs are kept beyond the limits"
        );
        let latest = [
            own.proposals.keys().next_back(),
            own.prevotes.keys().next_back(),
            own.precommits.keys().next_back(),
        ];
        debug_assert!(
            latest.into_iter().flatten().all(|latest| *latest <= round),
            "R26: this operator sent messages in a later round than {round}"
        );
        let voted = |kind: VoteKind| own.votes(kind).contains_key(&round);
        let (prevoted, precommitted) = (voted(VoteKind::Prevote), voted(VoteKind::Precommit));
        let follows = match self.height.step {
            Step::Waiting { .. } => !prevoted && !precommitted, // R2
            Step::Propose { .. } => !prevoted && !precommitted,
            Step::Prevote { .. } => (prevoted || self.observing) && !precommitted,
            Step::Precommit => precommitted || self.observing,
            Step::Decided => self.keeper().decision.is_some() && self.height.stored_decision, // R16
        };
        debug_assert!(
            follows,
            "{:?} of round {round} does not follow from the votes cast",
            self.height.step
        );
    }
}
