//! Repeats at the beat (rules R20, R27).

use federation_roster::Round;

use crate::{Message, Vote, VoteKind, state::Errand};

use super::Work;

impl Work<'_> {
    /// R20: at the beat of an unfinished height, what failed is tried again and what was said is
    /// repeated.
    pub(super) fn beat(&mut self) {
        let due = self.height.beat_at.is_some_and(|at| at <= self.now);
        if !due {
            return;
        }
        self.height.beat_at = Some(self.now.after(self.config.beat()));
        self.height.template.retry();
        self.height.signing.retry();
        if self.height.submitting != Errand::Asked {
            self.height.submitting = Errand::Idle;
        }
        self.height.ballots.bodies.retry_unavailable();
        self.repeat();
        while self.apply() {}
    }

    fn repeat(&mut self) {
        if let Some(decision) = self.ballots().decision.clone() {
            if !self.observing {
                self.out.send(Message::Certificate(decision));
            }
        } else {
            self.repeat_round();
        }
        if let Some(signature) = self.height.own.signature.filter(|_| !self.observing) {
            self.out.send(Message::BlockSignature(signature));
        }
    }

    /// The own proposal and votes of this round, what ended the round before, for those who are
    /// still in it, and the latest proof of lock.
    fn repeat_round(&mut self) {
        if self.observing {
            return;
        }
        let round = self.height.round;
        // A store of an earlier version has the own votes of that round only, and no certificate.
        let before = round.to_u32().checked_sub(1).map(Round::new);
        let before = before.filter(|_| self.ballots().over.is_none());
        let own = &self.height.own;
        let mut votes: Vec<Vote> = Vec::with_capacity(4);
        for round in before.into_iter().chain([round]) {
            for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                if let Some(value) = own.votes(kind).get(&round) {
                    votes.push(self.height.vote(kind, round, *value));
                }
            }
        }
        if let Some(proposal) = own.proposals.get(&round) {
            self.out.send(Message::Proposal(*proposal));
        }
        for proof in self.height.ballots.proofs.latest() {
            self.out.send(Message::Certificate(proof.clone()));
        }
        let over = self.height.ballots.over.as_ref();
        #[cfg(test)]
        let over = over.filter(|_| {
            self.config.mutation != Some(crate::mutation::Mutation::KeepRoundCertificates)
        });
        if let Some(over) = over {
            self.out.send(Message::RoundCertificate(over.clone()));
        }
        for vote in votes {
            self.out.send(Message::Vote(vote));
        }
    }

    /// R27: drops the bodies that nothing refers to any more.
    pub(crate) fn trim_bodies(&mut self) {
        let ballots = &self.height.ballots;
        let wanted = [
            self.proposal().map(|proposal| proposal.hash),
            self.height.own.lock().map(|(_, hash)| hash),
            ballots.settled(self.quorum()),
        ];
        let proven = ballots.proofs.latest().map(|proof| proof.hash);
        let wanted = wanted.into_iter().flatten().chain(proven).collect();
        self.height.ballots.bodies.trim(&wanted);
    }
}
