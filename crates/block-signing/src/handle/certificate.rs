//! A proof of lock, a decision or the end of a round, with the votes that make it.

use crate::{
    Alarm, Certificate, Machine, Message, RoundCertificate, Vote, VoteKind, ballots::Window,
};

impl Machine {
    /// R7, R16: M votes are M votes, whoever passes them on and whatever the round.
    pub(crate) fn on_certificate(&mut self, mut certificate: Certificate) {
        let (quorum, size) = (self.config.quorum(), self.config.size());
        if self.observing() {
            // R29: votes from before the memory was lost do not count.
            certificate.votes.remove(&self.config.me());
        }
        let strangers = certificate.votes.keys().any(|id| id.index() >= size);
        if strangers || certificate.votes.len() < quorum {
            return;
        }
        if certificate.votes.contains_key(&self.config.me()) {
            self.look_for_own(certificate.vote());
        }
        let Some((ballots, window)) = self.collection(certificate.height) else {
            return;
        };
        let evidence = ballots.add_certificate(window, quorum, &certificate);
        let decided = ballots.decision.as_ref().map(|decision| decision.hash);
        self.out.evidence(evidence); // R23
        if certificate.kind == VoteKind::Precommit
            && let Some(first) = decided.filter(|hash| *hash != certificate.hash)
        {
            self.out.alarm(Alarm::TwoDecisions {
                height: certificate.height,
                first,
                second: certificate.hash,
            });
        }
    }

    /// R14: M precommits of one round, whoever passes them on and whatever the round.
    pub(crate) fn on_round_certificate(&mut self, mut certificate: RoundCertificate) {
        let (quorum, size, me) = (self.config.quorum(), self.config.size(), self.config.me());
        if self.observing() {
            // R29, as above.
            certificate.votes.remove(&me);
        }
        let strangers = certificate.votes.keys().any(|id| id.index() >= size);
        if strangers || certificate.votes.len() < quorum {
            return;
        }
        if let Some((_, vote, _)) = certificate.votes().find(|(id, ..)| *id == me) {
            self.look_for_own(vote);
        }
        let Some((ballots, window)) = self.collection(certificate.height) else {
            return;
        };
        let evidence = ballots.add_round_certificate(window, quorum, certificate);
        self.out.evidence(evidence); // R23
    }

    /// R24: whether somebody else votes with this operator's key, heard by others only. The votes
    /// of the others make the certificate what it is all the same.
    fn look_for_own(&mut self, vote: Vote) {
        let (height, round) = (vote.height, vote.round);
        let config = &self.config;
        let Some(current) = self.height.as_ref().filter(|h| h.number() == height) else {
            return;
        };
        // What was said in rounds long left is forgotten; it may well have been said.
        let is_remembered = round >= Window::around(current.round, config).low();
        if is_remembered && !current.own.sent(&Message::Vote(vote)) {
            self.out
                .alarm(Alarm::OwnMessageFromElsewhere { height, round });
        }
    }
}
