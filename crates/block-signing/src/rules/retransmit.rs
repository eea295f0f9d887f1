//! Retransmission at regular intervals (rules R20, R27).

use federation_roster::Round;

use crate::{Message, Vote, VoteKind, state::RequestState};

use super::Rules;

impl Rules<'_> {
    /// R20: at each retransmit interval of an unfinished height, failed requests are retried and
    /// messages are retransmitted.
    pub(super) fn retransmit_if_due(&mut self) {
        let due = self.height.retransmit_at.is_some_and(|at| at <= self.now);
        if !due {
            return;
        }
        self.height.retransmit_at =
            Some(self.now.saturating_add(self.config.retransmit_interval()));
        self.height.template.retry();
        self.height.signing.retry();
        if self.height.submitting != RequestState::Pending {
            self.height.submitting = RequestState::Idle;
        }
        self.height.keeper.bodies.retry_unavailable();
        self.retransmit();
        while self.apply() {}
    }

    fn retransmit(&mut self) {
        if let Some(decision) = self.keeper().decision.clone() {
            if !self.observing {
                self.send(Message::Certificate(decision));
            }
        } else {
            self.retransmit_round();
        }
        if let Some(signature) = self.height.own.signature.filter(|_| !self.observing) {
            self.send(Message::BlockSignature(signature));
        }
    }

    /// Retransmits this operator's proposal and votes of this round, the certificate of the
    /// previous one for operators that are still in it, and the latest proof of lock.
    fn retransmit_round(&mut self) {
        if self.observing {
            return;
        }
        let round = self.height.round;
        // A store written by an earlier version has this operator's votes of the previous round,
        // and no certificate.
        let before = round.to_u32().checked_sub(1).map(Round::new);
        let before = before.filter(|_| self.keeper().round_certificate.is_none());
        let own = &self.height.own;
        let mut votes: Vec<Vote> = Vec::with_capacity(4);
        for round in before.into_iter().chain([round]) {
            for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                if let Some(value) = own.votes(kind).get(&round) {
                    votes.push(self.height.vote(kind, round, *value));
                }
            }
        }
        if let Some(proposal) = own.proposals.get(&round).copied() {
            self.send(Message::Proposal(proposal));
        }
        let proofs: Vec<_> = self.keeper().proofs.latest().cloned().collect();
        for proof in proofs {
            self.send(Message::Certificate(proof));
        }
        let certificate = self.height.keeper.round_certificate.as_ref();
        #[cfg(test)]
        let certificate = certificate.filter(|_| {
            self.config.mutation != Some(crate::mutation::Mutation::WithholdRoundCertificates)
        });
        if let Some(certificate) = certificate.cloned() {
            self.send(Message::RoundCertificate(certificate));
        }
        for vote in votes {
            self.send(Message::Vote(vote));
        }
    }

    /// R27: drops the bodies that nothing refers to any more.
    pub(crate) fn trim_bodies(&mut self) {
        let keeper = &self.height.keeper;
        let wanted = [
            self.proposal().map(|proposal| proposal.hash),
            self.height.own.lock().map(|(_, hash)| hash),
            keeper.settled(self.quorum()),
        ];
        let proven = keeper.proofs.latest().map(|proof| proof.hash);
        let wanted = wanted.into_iter().flatten().chain(proven).collect();
        self.height.keeper.bodies.trim(&wanted);
    }
}
