//! The votes of one kind in one round.

use std::collections::BTreeMap;

use federation_chain::{BlockHash, BlockHeight};
use federation_roster::{OperatorId, Round};

use crate::{
    Certificate, IdentitySignature, RoundCertificate, SignedMessage, Vote, VoteKind,
    message::Message,
};

/// One operator's vote, and its signature.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct SignedVote {
    pub(crate) vote: Vote,
    pub(crate) signature: IdentitySignature,
}

impl SignedVote {
    pub(crate) const fn into_signed(self, sender: OperatorId) -> SignedMessage {
        SignedMessage {
            sender,
            message: Message::Vote(self.vote),
            signature: self.signature,
        }
    }
}

/// The first vote of each operator.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct VoteSet(BTreeMap<OperatorId, SignedVote>);

impl VoteSet {
    pub(crate) fn get(&self, operator: OperatorId) -> Option<&SignedVote> {
        self.0.get(&operator)
    }

    /// Adds a vote of an operator that has not voted yet.
    pub(crate) fn insert(&mut self, operator: OperatorId, signed_vote: SignedVote) {
        self.0.entry(operator).or_insert(signed_vote);
    }

    /// Returns how many operators voted.
    pub(crate) fn total(&self) -> usize {
        self.0.len()
    }

    /// Returns how many operators voted for this value.
    pub(crate) fn count(&self, value: Option<BlockHash>) -> usize {
        self.iter().filter(|(_, v)| *v == value).count()
    }

    /// Returns each voter with its vote.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (OperatorId, Option<BlockHash>)> + '_ {
        self.0
            .iter()
            .map(|(id, signed_vote)| (*id, signed_vote.vote.value))
    }

    /// Returns the votes for a block as a certificate.
    pub(crate) fn certificate(&self, vote: &Vote, hash: BlockHash) -> Certificate {
        Certificate {
            kind: vote.kind,
            height: vote.height,
            round: vote.round,
            hash,
            votes: self
                .0
                .iter()
                .filter(|(_, signed_vote)| signed_vote.vote.value == Some(hash))
                .map(|(id, signed_vote)| (*id, signed_vote.signature))
                .collect(),
        }
    }

    /// Returns all votes, which are precommits, as the proof that their round is over.
    pub(crate) fn round_certificate(&self, height: BlockHeight, round: Round) -> RoundCertificate {
        let votes = self.0.iter();
        RoundCertificate {
            height,
            round,
            votes: votes
                .map(|(id, signed_vote)| (*id, (signed_vote.vote.value, signed_vote.signature)))
                .collect(),
        }
    }
}

/// Both kinds of votes of one round.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct RoundVotes {
    pub(crate) prevotes: VoteSet,
    pub(crate) precommits: VoteSet,
}

impl RoundVotes {
    pub(crate) fn of_mut(&mut self, kind: VoteKind) -> &mut VoteSet {
        match kind {
            VoteKind::Prevote => &mut self.prevotes,
            VoteKind::Precommit => &mut self.precommits,
        }
    }
}
