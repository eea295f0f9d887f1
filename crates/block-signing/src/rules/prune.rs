//! Pruning of what a long height leaves behind, in the store as well (rule R27).

use std::collections::BTreeSet;

use federation_chain::BlockHash;
use federation_roster::Round;

use crate::{Output, Record, VoteKind, vote_keeper::Window};

use super::Rules;

impl Rules<'_> {
    /// Deletes the records that no later message of this operator can depend on, once per round.
    /// Runs after all rules, so that nothing is deleted that was stored in the same batch and is
    /// needed.
    pub(super) fn prune(&mut self) {
        let progress = Some((
            self.height.round,
            self.height.step == crate::state::Step::Decided,
        ));
        if self.observing
            || self.height.timestamps.height.is_none()
            || self.height.pruned == progress
        {
            return;
        }
        self.height.pruned = progress;
        let low = Window::around(self.height.round, self.config).low();
        let mut keys = self.forget_own(low);
        self.forget_bodies(&mut keys);
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::NeverPrune) {
            return;
        }
        if !keys.is_empty() {
            self.out.push(Output::ForgetRecords { keys });
        }
    }

    /// Deletes what was sent in rounds below `low`, except the lock. Rounds only increase and votes
    /// are cast only in the current round, so nothing can be sent there again.
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
        self.height.own.prune_rounds(low);
        keys
    }

    /// Deletes the proofs except the latest and the lock's, and the blocks that neither these nor
    /// the decision nor this operator's proposal of this round refer to.
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
            self.keeper().settled(self.quorum()),
        ];
        let wanted: BTreeSet<BlockHash> = wanted.into_iter().flatten().chain(proven).collect();
        let stored = &mut self.height.stored_bodies;
        for hash in stored.difference(&wanted) {
            keys.push(Record::body_key(number, *hash));
        }
        stored.retain(|hash| wanted.contains(hash));
    }
}
