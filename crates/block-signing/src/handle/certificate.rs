//! Proofs of lock, decisions and round certificates, with the votes in them.

use crate::{
    Alarm, Certificate, Machine, Message, RoundCertificate, Vote, VoteKind, vote_keeper::Window,
};

impl Machine {
    /// R7, R16: M votes count whichever operator passes them on and whatever their round.
    pub(crate) fn on_certificate(&mut self, mut certificate: Certificate) {
        let (quorum, size) = (self.config.quorum(), self.config.size());
        if self.observing() {
            // R29: votes cast before the store was lost do not count.
            certificate.votes.remove(&self.config.me());
        }
        let strangers = certificate.votes.keys().any(|id| id.index() >= size);
        if strangers || certificate.votes.len() < quorum {
            return;
        }
        if certificate.votes.contains_key(&self.config.me()) {
            self.check_own_vote(certificate.vote());
        }
        let Some((keeper, window)) = self.keeper_for(certificate.height) else {
            return;
        };
        let evidence = keeper.add_certificate(window, quorum, &certificate);
        let decided = keeper.decision.as_ref().map(|decision| decision.hash);
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

    /// R14: M precommits of one round count, whichever operator passes them on and whatever the
    /// round.
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
            self.check_own_vote(vote);
        }
        let Some((keeper, window)) = self.keeper_for(certificate.height) else {
            return;
        };
        let evidence = keeper.add_round_certificate(window, quorum, certificate);
        self.out.evidence(evidence); // R23
    }

    /// R24: checks whether another process votes with this operator's key, in a vote that only
    /// others received. The certificate counts all the same, by the others' votes.
    fn check_own_vote(&mut self, vote: Vote) {
        let (height, round) = (vote.height, vote.round);
        let config = &self.config;
        let Some(current) = self.height.as_ref().filter(|h| h.number() == height) else {
            return;
        };
        // Votes of rounds below the window are forgotten, so this may have been one of them.
        let is_remembered = round >= Window::around(current.round, config).low();
        if is_remembered && !current.own.sent(&Message::Vote(vote)) {
            self.out
                .alarm(Alarm::OwnMessageFromElsewhere { height, round });
        }
    }
}
