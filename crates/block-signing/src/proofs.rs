//! The proofs of lock of one height.
//!
//! A round has at most one as long as no more operators lie than the threshold tolerates: two would
//! need a vote for both from 2M - N operators. Beyond that, all are kept: an operator locked by one
//! of them must be free to follow another one of the same round (rule R7), or a single liar could
//! divide the honest operators for good.

use std::collections::BTreeMap;

use federation_chain::BlockHash;
use federation_roster::Round;

use crate::Certificate;

/// The most proofs kept at one height; each takes M operators to make.
const MAX_PROOFS: usize = 64;

/// Proofs of lock by round and block.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Proofs(BTreeMap<(Round, BlockHash), Certificate>);

impl Proofs {
    /// Adds a proof, dropping the one of the lowest round if there are too many.
    pub(crate) fn insert(&mut self, proof: Certificate) {
        self.0.entry((proof.round, proof.hash)).or_insert(proof);
        if self.0.len() > MAX_PROOFS {
            self.0.pop_first();
        }
    }

    pub(crate) fn is_within_limit(&self) -> bool {
        self.0.len() <= MAX_PROOFS
    }

    pub(crate) fn get(&self, round: Round, hash: BlockHash) -> Option<&Certificate> {
        self.0.get(&(round, hash))
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Certificate> + '_ {
        self.0.values()
    }

    /// Returns those of one round.
    pub(crate) fn of_round(&self, round: Round) -> impl Iterator<Item = &Certificate> + '_ {
        self.iter().filter(move |proof| proof.round == round)
    }

    /// Returns those of rounds below this one, the latest first.
    pub(crate) fn below(&self, round: Round) -> impl Iterator<Item = &Certificate> + '_ {
        self.iter().rev().filter(move |proof| proof.round < round)
    }

    /// Returns those of the highest round that has any.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Certificate> + '_ {
        let round = self.0.last_key_value().map(|((round, _), _)| *round);
        self.iter().filter(move |proof| Some(proof.round) == round)
    }
}
