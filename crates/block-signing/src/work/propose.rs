//! What a leader proposes (rules R3 to R5).

use federation_chain::BlockHash;
use federation_roster::Round;

use crate::{
    Alarm, Body, Candidate, Certificate, Message, Output, Proposal, Record, Refusal,
    ballots::Window,
    bodies::Judgement,
    schedule,
    state::{Errand, Step},
};

use super::Work;

impl Work<'_> {
    /// R4: the latest proof of lock whose block this operator may propose. One that its own node
    /// refused is left out, unless it is locked on it: others may be as well, and then no other
    /// block can come, while without any lock none comes as long as all leaders insist on this one.
    fn proof_to_propose(&self) -> Option<&Certificate> {
        let (round, tip) = (self.height.round, self.height.tip.hash);
        let locked = self.lock().map(|(_, hash)| hash);
        let bodies = &self.ballots().bodies;
        let fits = |proof: &&Certificate| {
            let usable = bodies.usable(proof.hash);
            let stands = usable.is_some_and(|candidate| candidate.previous == tip);
            stands && (locked == Some(proof.hash) || !self.left_out(proof.hash))
        };
        self.ballots().proofs.below(round).find(fits)
    }

    fn left_out(&self, hash: BlockHash) -> bool {
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::InsistOnRefused) {
            return false;
        }
        self.ballots().bodies.refused(hash)
    }

    /// R4: the leader proposes the block of the latest proof of lock, else a fresh one.
    pub(super) fn propose(&mut self) -> bool {
        let (number, round) = (self.height.number(), self.height.round);
        if self.observing || !self.leads() || self.height.own.proposals.contains_key(&round) {
            return false;
        }
        if let Some(proof) = self.proof_to_propose().cloned() {
            self.send_proposal(proof.hash, Some(proof.round));
            self.out.send(Message::Certificate(proof));
            return true;
        }
        if self.height.template == Errand::Idle {
            self.height.template = Errand::Asked;
            self.out.push(Output::RequestTemplate {
                height: number,
                round,
            });
        }
        false
    }

    /// R4: the fresh block has come; if there is still time, propose it.
    pub(crate) fn propose_template(&mut self, round: Round, candidate: Candidate) {
        let in_time = matches!(self.height.step, Step::Propose { .. });
        if !in_time || round != self.height.round || self.height.template != Errand::Asked {
            return;
        }
        // A proof of lock that came meanwhile may have been proposed already: never two.
        if self.height.own.proposals.contains_key(&round) {
            return;
        }
        if let Err(reason) = self.check(&candidate) {
            self.height.template = Errand::Failed;
            self.out.alarm(Alarm::UnfitTemplate {
                height: self.height.number(),
                reason,
            });
            return;
        }
        self.height.template = Errand::Done;
        let hash = candidate.hash;
        let body = Message::Body(Body {
            height: candidate.height,
            hash,
            bytes: candidate.bytes.clone(),
        });
        // The own node made it: there is nothing to ask it.
        let (bodies, me) = (&mut self.height.ballots.bodies, self.config.me());
        bodies.insert(me, candidate, Judgement::Valid);
        self.store_body(hash);
        self.send_proposal(hash, None);
        self.out.send(body);
        // R22: that answers everybody.
        self.height.answers.sent_to_all(hash, self.now);
    }

    fn send_proposal(&mut self, hash: BlockHash, valid_round: Option<Round>) {
        let proposal = Proposal {
            height: self.height.number(),
            round: self.height.round,
            hash,
            valid_round,
        };
        self.out.persist(Record::Proposal(proposal));
        self.out.send(Message::Proposal(proposal));
        self.note_own_proposal(proposal);
    }

    pub(crate) fn note_own_proposal(&mut self, proposal: Proposal) {
        let window = Window::around(self.height.round, self.config);
        self.height.own.proposals.insert(proposal.round, proposal);
        let ballots = &mut self.height.ballots;
        let _ = ballots.add_proposal(window, self.config.me(), proposal, None);
    }

    /// R5: what can be checked without the node. The time of a block that has a proof of lock was
    /// right for M operators when it was fresh, and must not expire.
    pub(super) fn check(&self, candidate: &Candidate) -> Result<(), Refusal> {
        let tip = &self.height.tip;
        schedule::check_place(candidate, tip)?;
        let proof = self
            .ballots()
            .proof_round(candidate.hash, self.height.round);
        if proof.is_some() {
            return Ok(());
        }
        let (interval, drift) = (self.config.interval(), self.config.max_drift());
        schedule::check_time(candidate, tip, interval, drift, self.now)
    }
}
