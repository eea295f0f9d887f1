//! What operators said about one height: proposals, votes, certificates, bodies, block signatures.
//!
//! Collecting is the same for the height worked on and the one above it; what follows from the
//! collection is in `rules`.

use std::collections::{BTreeMap, BTreeSet};

use federation_chain::BlockHash;
use federation_roster::{OperatorId, Round};

use crate::{
    BlockSignature, Certificate, CompactSignature, Config, Evidence, IdentitySignature, Message,
    Proposal, SignedMessage, VoteKind,
    bodies::Bodies,
    votes::{Cast, RoundVotes},
};

/// Proofs of lock kept at one height; each takes M operators to make, so there are rarely two.
const MAX_PROOFS: usize = 64;

/// A leader's proposal; the own one has no signature until it has come back from the driver.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Proposed {
    pub(crate) proposal: Proposal,
    pub(crate) signature: Option<IdentitySignature>,
}

#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct RoundBallots {
    pub(crate) proposed: Option<Proposed>,
    pub(crate) votes: RoundVotes,
}

/// Everything collected at one height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Ballots {
    rounds: BTreeMap<Round, RoundBallots>,
    /// The first proof of lock seen of each round.
    pub(crate) proofs: BTreeMap<Round, Certificate>,
    /// The first decision seen.
    pub(crate) decision: Option<Certificate>,
    pub(crate) bodies: Bodies,
    /// Without the signature of an envelope if somebody else passed it on.
    signatures: BTreeMap<OperatorId, (BlockSignature, Option<IdentitySignature>)>,
    /// The highest round each operator has spoken in.
    latest: BTreeMap<OperatorId, Round>,
    /// For which steps evidence was put out already: operator, kind byte, round.
    accused: BTreeSet<(OperatorId, u8, Round)>,
}

/// Which rounds' messages are kept, seen from the own round.
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

impl Ballots {
    pub(crate) fn round(&self, round: Round) -> Option<&RoundBallots> {
        self.rounds.get(&round)
    }

    /// Notes that an operator spoke in a round, also if the message itself is too far to keep.
    fn spoke(&mut self, operator: OperatorId, round: Round) {
        let latest = self.latest.entry(operator).or_default();
        *latest = round.max(*latest);
    }

    /// Keeps a proposal of the round's leader.
    pub(crate) fn add_proposal(
        &mut self,
        window: Window,
        sender: OperatorId,
        proposal: Proposal,
        signature: Option<IdentitySignature>,
    ) -> Option<Evidence> {
        self.spoke(sender, proposal.round);
        if !window.contains(proposal.round) {
            return None;
        }
        let proposed = &mut self.rounds.entry(proposal.round).or_default().proposed;
        match proposed {
            None => {
                *proposed = Some(Proposed {
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

    /// Keeps a vote, and makes the certificate when it completes one.
    pub(crate) fn add_vote(
        &mut self,
        window: Window,
        quorum: usize,
        sender: OperatorId,
        cast: Cast,
    ) -> Option<Evidence> {
        let vote = cast.vote;
        self.spoke(sender, vote.round);
        if !window.contains(vote.round) {
            return None;
        }
        let round = self.rounds.entry(vote.round).or_default();
        let votes = round.votes.of_mut(vote.kind);
        match votes.get(sender) {
            Some(first) if first.vote == vote => return None,
            Some(first) => {
                let first = first.into_signed(sender);
                return self.accuse(first, cast.into_signed(sender));
            }
            None => votes.insert(sender, cast),
        }
        let hash = vote.value?;
        if votes.count(vote.value) >= quorum {
            match vote.kind {
                VoteKind::Prevote => {
                    if !self.proofs.contains_key(&vote.round) {
                        let proof = votes.certificate(&vote, hash);
                        self.keep_proof(proof);
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

    /// Keeps a certificate with a quorum of votes, and the votes in it.
    pub(crate) fn add_certificate(
        &mut self,
        window: Window,
        quorum: usize,
        certificate: &Certificate,
    ) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        for (sender, signature) in &certificate.votes {
            let cast = Cast {
                vote: certificate.vote(),
                signature: *signature,
            };
            evidence.extend(self.add_vote(window, quorum, *sender, cast));
        }
        match certificate.kind {
            VoteKind::Prevote => self.keep_proof(certificate.clone()),
            VoteKind::Precommit => {
                if self.decision.is_none() {
                    self.decision = Some(certificate.clone());
                }
            }
        }
        evidence
    }

    fn keep_proof(&mut self, proof: Certificate) {
        self.proofs.entry(proof.round).or_insert(proof);
        if self.proofs.len() > MAX_PROOFS {
            self.proofs.pop_first();
        }
    }

    /// The highest round below `round` in which M operators prevoted for a block.
    pub(crate) fn proof_round(&self, hash: BlockHash, round: Round) -> Option<Round> {
        let mut below = self.proofs.range(..round).rev();
        below
            .find(|(_, proof)| proof.hash == hash)
            .map(|(round, _)| *round)
    }

    /// Keeps a block signature: one per operator, but a later one for the decided block counts.
    /// Evidence takes the envelopes of both.
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

    /// The block signatures for a block, as they go into it.
    pub(crate) fn compact_signatures(
        &self,
        hash: BlockHash,
    ) -> BTreeMap<OperatorId, CompactSignature> {
        let held = self.signatures(hash);
        held.map(|(id, signed)| (id, signed.signature)).collect()
    }

    /// The block signatures for a block.
    pub(crate) fn signatures(
        &self,
        hash: BlockHash,
    ) -> impl Iterator<Item = (OperatorId, &BlockSignature)> + '_ {
        self.signatures
            .iter()
            .filter(move |(_, (signed, _))| signed.hash == hash)
            .map(|(id, (signed, _))| (*id, signed))
    }

    /// Evidence, the first time for this operator, kind and round.
    pub(crate) fn accuse(
        &mut self,
        first: SignedMessage,
        second: SignedMessage,
    ) -> Option<Evidence> {
        let step = (first.sender, first.message.kind(), first.message.round());
        self.accused
            .insert(step)
            .then_some(Evidence { first, second })
    }

    /// Whether the first vote of an operator in a round is another one than this.
    pub(crate) fn contradicting(&self, sender: OperatorId, cast: &Cast) -> Option<SignedMessage> {
        let votes = &self.rounds.get(&cast.vote.round)?.votes;
        let known = match cast.vote.kind {
            VoteKind::Prevote => votes.prevotes.get(sender),
            VoteKind::Precommit => votes.precommits.get(sender),
        }?;
        (known.vote != cast.vote).then(|| known.into_signed(sender))
    }

    /// The block that is settled: decided, or with a quorum of block signatures, each of which
    /// an honest operator makes only after a decision.
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

    /// The highest round above `round`, not above `plausible`, that at least `operators` others
    /// have reached.
    pub(crate) fn later_round(
        &self,
        round: Round,
        plausible: Round,
        me: OperatorId,
        operators: usize,
    ) -> Option<Round> {
        let mut later: Vec<Round> = self
            .latest
            .iter()
            .filter(|(id, latest)| **id != me && (round < **latest && **latest <= plausible))
            .map(|(_, latest)| *latest)
            .collect();
        later.sort_unstable_by(|a, b| b.cmp(a));
        later.get(operators.saturating_sub(1)).copied()
    }

    /// Who proposed a block; its body should have come from there already.
    pub(crate) fn proposers(&self, hash: BlockHash, config: &Config) -> Vec<OperatorId> {
        let proposed = self.rounds.values().filter_map(|round| round.proposed);
        let of_it = proposed.map(|p| p.proposal).filter(|p| p.hash == hash);
        let leaders = of_it.map(|p| config.leader(p.height, p.round));
        let others: BTreeSet<_> = leaders.filter(|id| *id != config.me()).collect();
        others.into_iter().collect()
    }

    /// Who is known to have held a block: its voters and signers.
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
        let certificates = self.proofs.values().chain(&self.decision);
        for certificate in certificates.filter(|c| c.hash == hash) {
            certificate.votes.keys().for_each(|id| add(*id));
        }
        self.signatures(hash).for_each(|(id, _)| add(id));
        holders
    }

    /// Drops rounds that are out of the window.
    pub(crate) fn forget_rounds(&mut self, window: Window) {
        self.rounds.retain(|round, _| window.contains(*round));
        self.accused
            .retain(|(_, _, round)| *round == Round::FIRST || window.contains(*round));
    }
}
