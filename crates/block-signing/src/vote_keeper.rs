//! Collects what operators sent about one height: proposals, votes, certificates, bodies and block
//! signatures.
//!
//! The height being worked on and the one above it collect in the same way; what follows from a
//! collection is in `rules`.

use std::collections::{BTreeMap, BTreeSet};

use federation_chain::BlockHash;
use federation_roster::{OperatorId, Round};

use crate::{
    BlockSignature, Certificate, CompactSignature, Config, Evidence, IdentitySignature, Message,
    Proposal, RoundCertificate, SignedMessage, VoteKind,
    bodies::Bodies,
    proofs::Proofs,
    votes::{RoundVotes, SignedVote},
};

/// A leader's proposal. This operator's own has no signature until the driver has sent it back.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct KnownProposal {
    pub(crate) proposal: Proposal,
    pub(crate) signature: Option<IdentitySignature>,
}

#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct RoundEntry {
    pub(crate) proposed: Option<KnownProposal>,
    pub(crate) votes: RoundVotes,
}

/// Everything collected at one height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct VoteKeeper {
    rounds: BTreeMap<Round, RoundEntry>,
    pub(crate) proofs: Proofs,
    /// M precommits of the highest round known to be over. They justify entering the round after
    /// it.
    pub(crate) round_certificate: Option<RoundCertificate>,
    /// The first decision seen.
    pub(crate) decision: Option<Certificate>,
    pub(crate) bodies: Bodies,
    /// The envelope's signature is missing if another operator passed the block signature on.
    signatures: BTreeMap<OperatorId, (BlockSignature, Option<IdentitySignature>)>,
    /// The steps for which evidence has been reported: operator, kind byte, round.
    accused: BTreeSet<(OperatorId, u8, Round)>,
}

/// The rounds whose messages are kept, relative to this operator's round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    low: u32,
    high: u32,
}

impl Window {
    pub(crate) fn around(round: Round, config: &Config) -> Self {
        let round = round.to_u32();
        Self {
            low: round.saturating_sub(config.limits().rounds_behind),
            high: round.saturating_add(config.limits().rounds_ahead),
        }
    }

    pub(crate) const fn low(self) -> Round {
        Round::new(self.low)
    }

    const fn contains(self, round: Round) -> bool {
        self.low <= round.to_u32() && round.to_u32() <= self.high
    }
}

impl VoteKeeper {
    pub(crate) fn round(&self, round: Round) -> Option<&RoundEntry> {
        self.rounds.get(&round)
    }

    /// Adds a proposal by the round's leader.
    pub(crate) fn add_proposal(
        &mut self,
        window: Window,
        sender: OperatorId,
        proposal: Proposal,
        signature: Option<IdentitySignature>,
    ) -> Option<Evidence> {
        if !window.contains(proposal.round) {
            return None;
        }
        let proposed = &mut self.rounds.entry(proposal.round).or_default().proposed;
        match proposed {
            None => {
                *proposed = Some(KnownProposal {
                    proposal,
                    signature,
                });
                None
            }
            Some(known) if known.proposal == proposal => {
                known.signature = known.signature.or(signature);
                None
            }
            Some(known) => {
                let signed = |proposal, signature| SignedMessage {
                    sender,
                    message: Message::Proposal(proposal),
                    signature,
                };
                let first = signed(known.proposal, known.signature?);
                let second = signed(proposal, signature?);
                self.accuse(first, second)
            }
        }
    }

    /// Adds a vote, and builds the certificate if it completes a quorum.
    pub(crate) fn add_vote(
        &mut self,
        window: Window,
        quorum: usize,
        sender: OperatorId,
        signed_vote: SignedVote,
    ) -> Option<Evidence> {
        let vote = signed_vote.vote;
        if !window.contains(vote.round) {
            return None;
        }
        let round = self.rounds.entry(vote.round).or_default();
        let votes = round.votes.of_mut(vote.kind);
        match votes.get(sender) {
            Some(first) if first.vote == vote => return None,
            Some(first) => {
                let first = first.into_signed(sender);
                return self.accuse(first, signed_vote.into_signed(sender));
            }
            None => votes.insert(sender, signed_vote),
        }
        let ends_round = vote.kind == VoteKind::Precommit && votes.total() >= quorum;
        if ends_round
            && self
                .round_certificate
                .as_ref()
                .map(|certificate| certificate.round)
                < Some(vote.round)
        {
            self.round_certificate = Some(votes.round_certificate(vote.height, vote.round));
        }
        let hash = vote.value?;
        if votes.count(vote.value) >= quorum {
            match vote.kind {
                VoteKind::Prevote => {
                    if self.proofs.get(vote.round, hash).is_none() {
                        self.proofs.insert(votes.certificate(&vote, hash));
                    }
                }
                VoteKind::Precommit => {
                    if self.decision.is_none() {
                        self.decision = Some(votes.certificate(&vote, hash));
                    }
                }
            }
        }
        None
    }

    /// Adds a certificate with a quorum of votes, and the votes in it.
    pub(crate) fn add_certificate(
        &mut self,
        window: Window,
        quorum: usize,
        certificate: &Certificate,
    ) -> Vec<Evidence> {
        debug_assert!(certificate.votes.len() >= quorum, "R7, R16: too few votes");
        let mut evidence = Vec::new();
        for (sender, signature) in &certificate.votes {
            let signed_vote = SignedVote {
                vote: certificate.vote(),
                signature: *signature,
            };
            evidence.extend(self.add_vote(window, quorum, *sender, signed_vote));
        }
        match certificate.kind {
            VoteKind::Prevote => self.proofs.insert(certificate.clone()),
            VoteKind::Precommit => {
                if self.decision.is_none() {
                    self.decision = Some(certificate.clone());
                }
            }
        }
        evidence
    }

    /// Adds a quorum of precommits of one round, and the votes in it. It counts even if its round
    /// is outside the window.
    pub(crate) fn add_round_certificate(
        &mut self,
        window: Window,
        quorum: usize,
        certificate: RoundCertificate,
    ) -> Vec<Evidence> {
        debug_assert!(certificate.votes.len() >= quorum, "R14: too few votes");
        let mut evidence = Vec::new();
        for (sender, vote, signature) in certificate.votes() {
            let signed_vote = SignedVote { vote, signature };
            evidence.extend(self.add_vote(window, quorum, sender, signed_vote));
        }
        self.keep_round_certificate(certificate);
        evidence
    }

    /// Keeps whichever round certificate is of the higher round.
    pub(crate) fn keep_round_certificate(&mut self, certificate: RoundCertificate) {
        if self.round_certificate.as_ref().map(|known| known.round) < Some(certificate.round) {
            self.round_certificate = Some(certificate);
        }
    }

    /// Returns the highest round below `round` in which M operators prevoted for the block.
    pub(crate) fn proof_round(&self, hash: BlockHash, round: Round) -> Option<Round> {
        let mut below = self.proofs.below(round);
        below
            .find(|proof| proof.hash == hash)
            .map(|proof| proof.round)
    }

    /// Adds a block signature: one per operator, though a later one for the decided block replaces
    /// it. Evidence needs the envelopes of both.
    pub(crate) fn add_signature(
        &mut self,
        sender: OperatorId,
        signed: BlockSignature,
        signature: Option<IdentitySignature>,
    ) -> Option<Evidence> {
        let Some((known, known_signature)) = self.signatures.get(&sender).copied() else {
            self.signatures.insert(sender, (signed, signature));
            return None;
        };
        if known.hash == signed.hash {
            if known_signature.is_none() {
                self.signatures.insert(sender, (signed, signature));
            }
            return None;
        }
        if self.decision.as_ref().map(|d| d.hash) == Some(signed.hash) {
            self.signatures.insert(sender, (signed, signature));
        }
        let wrap = |signed, signature| SignedMessage {
            sender,
            message: Message::BlockSignature(signed),
            signature,
        };
        self.accuse(wrap(known, known_signature?), wrap(signed, signature?))
    }

    /// Returns the signatures of a block in the form that goes into it.
    pub(crate) fn compact_signatures(
        &self,
        hash: BlockHash,
    ) -> BTreeMap<OperatorId, CompactSignature> {
        let held = self.signatures(hash);
        held.map(|(id, signed)| (id, signed.signature)).collect()
    }

    /// Returns the block signatures for a block.
    pub(crate) fn signatures(
        &self,
        hash: BlockHash,
    ) -> impl Iterator<Item = (OperatorId, &BlockSignature)> + '_ {
        self.signatures
            .iter()
            .filter(move |(_, (signed, _))| signed.hash == hash)
            .map(|(id, (signed, _))| (*id, signed))
    }

    /// Returns evidence the first time it is found for this operator, kind and round.
    pub(crate) fn accuse(
        &mut self,
        first: SignedMessage,
        second: SignedMessage,
    ) -> Option<Evidence> {
        debug_assert!(
            first.sender == second.sender
                && first.message.kind() == second.message.kind()
                && first.message.height() == second.message.height()
                && first.message.round() == second.message.round()
                && first.message != second.message,
            "R23: {first:?} and {second:?} do not exclude each other"
        );
        let step = (first.sender, first.message.kind(), first.message.round());
        self.accused
            .insert(step)
            .then_some(Evidence { first, second })
    }

    /// Returns the operator's first vote of the round if it conflicts with this one.
    pub(crate) fn conflicting_vote(
        &self,
        sender: OperatorId,
        signed_vote: &SignedVote,
    ) -> Option<SignedMessage> {
        let votes = &self.rounds.get(&signed_vote.vote.round)?.votes;
        let known = match signed_vote.vote.kind {
            VoteKind::Prevote => votes.prevotes.get(sender),
            VoteKind::Precommit => votes.precommits.get(sender),
        }?;
        (known.vote != signed_vote.vote).then(|| known.into_signed(sender))
    }

    /// Returns the block that is settled: decided, or with a quorum of block signatures. An honest
    /// operator signs only after a decision.
    pub(crate) fn settled(&self, quorum: usize) -> Option<BlockHash> {
        if let Some(decision) = &self.decision {
            return Some(decision.hash);
        }
        if self.signatures.len() < quorum {
            return None;
        }
        let hashes = self.signatures.values().map(|(signed, _)| signed.hash);
        hashes
            .into_iter()
            .find(|hash| self.signatures(*hash).count() >= quorum)
    }

    /// Returns the highest later round in which at least this many operators voted.
    #[cfg(test)]
    pub(crate) fn latest_round_with_votes(&self, round: Round, operators: usize) -> Option<Round> {
        let spoken = |(later, of_round): (&Round, &RoundEntry)| {
            let votes = &of_round.votes;
            let total = votes.prevotes.total().max(votes.precommits.total());
            (total >= operators).then_some(*later)
        };
        self.rounds.range(round.next()..).rev().find_map(spoken)
    }

    /// Returns the operators that proposed a block and should therefore have sent its body.
    pub(crate) fn proposers(&self, hash: BlockHash, config: &Config) -> Vec<OperatorId> {
        let proposed = self.rounds.values().filter_map(|round| round.proposed);
        let of_it = proposed.map(|p| p.proposal).filter(|p| p.hash == hash);
        let leaders = of_it.map(|p| config.leader(p.height, p.round));
        let others: BTreeSet<_> = leaders.filter(|id| *id != config.me()).collect();
        others.into_iter().collect()
    }

    /// Returns the operators known to hold a block: its voters and signers.
    pub(crate) fn holders(&self, hash: BlockHash, config: &Config) -> Vec<OperatorId> {
        let mut holders = Vec::new();
        let mut add = |id: OperatorId| {
            if id != config.me() && !holders.contains(&id) {
                holders.push(id);
            }
        };
        for round in self.rounds.values() {
            let votes = round
                .votes
                .prevotes
                .iter()
                .chain(round.votes.precommits.iter());
            votes
                .filter(|(_, v)| *v == Some(hash))
                .for_each(|(id, _)| add(id));
        }
        let certificates = self.proofs.iter().chain(&self.decision);
        for certificate in certificates.filter(|c| c.hash == hash) {
            certificate.votes.keys().for_each(|id| add(*id));
        }
        self.signatures(hash).for_each(|(id, _)| add(id));
        holders
    }

    /// Whether no more is kept than the window and the limit of proofs allow (rule R27).
    pub(crate) fn is_within(&self, window: Window) -> bool {
        self.rounds.keys().all(|round| window.contains(*round)) && self.proofs.is_within_limit()
    }

    /// Drops the rounds outside the window.
    pub(crate) fn prune_rounds(&mut self, window: Window) {
        self.rounds.retain(|round, _| window.contains(*round));
        self.accused
            .retain(|(_, _, round)| *round == Round::FIRST || window.contains(*round));
    }
}
