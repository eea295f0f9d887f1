//! What a long height leaves behind is forgotten, in the store as well (rule R27).

use std::collections::BTreeSet;

use federation_chain::BlockHash;
use federation_roster::Round;

use crate::{Output, Record, VoteKind, ballots::Window};

use super::Work;

impl Work<'_> {
    /// Lets the records go that no later word of this operator can depend on, once a round. Runs
    /// after all rules, so that nothing goes that was stored in the same batch and is needed.
    pub(super) fn tidy(&mut self) {
        let place = Some((
            self.height.round,
            self.height.step == crate::state::Step::Decided,
        ));
        if self.observing || self.height.marks.height.is_none() || self.height.tidied == place {
            return;
        }
        self.height.tidied = place;
        let low = Window::around(self.height.round, self.config).low();
        let mut keys = self.forget_own(low);
        self.forget_bodies(&mut keys);
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::KeepRounds) {
            return;
        }
        if !keys.is_empty() {
            self.out.push(Output::ForgetRecords { keys });
        }
    }

    /// What was said in rounds long left, but for the lock: rounds only rise, and votes are cast in
    /// the current round or later ones, so nothing can be said there again.
    fn forget_own(&mut self, low: Round) -> Vec<Vec<u8>> {
        let number = self.height.number();
        let own = &self.height.own;
        let lock = own.lock().map(|(round, _)| round);
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for proposal in own.proposals.range(..low).map(|(_, proposal)| *proposal) {
            keys.push(Record::Proposal(proposal).key());
        }
        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
            for (round, value) in own.votes(kind).range(..low) {
                if kind == VoteKind::Prevote || Some(*round) != lock {
                    let vote = crate::Vote {
                        kind,
                        height: number,
                        round: *round,
                        value: *value,
                    };
                    keys.push(Record::Vote(vote).key());
                }
            }
        }
        self.height.own.forget_rounds(low);
        keys
    }

    /// Proofs but for the latest and that of the lock, and the blocks that neither these nor the
    /// decision nor the own proposal of this round name.
    fn forget_bodies(&mut self, keys: &mut Vec<Vec<u8>>) {
        let (number, round) = (self.height.number(), self.height.round);
        let lock = self.height.own.lock();
        let latest = self.height.stored_proofs.last().map(|(round, _)| *round);
        let kept = [latest, lock.map(|(round, _)| round)];
        let (proofs, old): (BTreeSet<_>, BTreeSet<_>) = self
            .height
            .stored_proofs
            .iter()
            .partition(|(round, _)| kept.contains(&Some(*round)));
        for (round, hash) in old {
            keys.push(Record::proof_key(number, round, hash));
        }
        let proven = proofs.iter().filter(|(round, _)| Some(*round) == latest);
        let proven: Vec<BlockHash> = proven.map(|(_, hash)| *hash).collect();
        self.height.stored_proofs = proofs;
        let proposal = self.height.own.proposals.get(&round);
        let wanted = [
            proposal.map(|proposal| proposal.hash),
            lock.map(|(_, hash)| hash),
            self.ballots().settled(self.quorum()),
        ];
        let wanted: BTreeSet<BlockHash> = wanted.into_iter().flatten().chain(proven).collect();
        let stored = &mut self.height.stored_bodies;
        for hash in stored.difference(&wanted) {
            keys.push(Record::body_key(number, *hash));
        }
        stored.retain(|hash| wanted.contains(hash));
    }
}
