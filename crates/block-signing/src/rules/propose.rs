//! The leader's proposal (rules R3 to R5).

use federation_chain::BlockHash;
use federation_roster::Round;

use crate::{
    Alarm, Body, Candidate, Certificate, Message, Output, Proposal, Record, Refusal,
    bodies::Validity,
    schedule,
    state::{RequestState, Step},
    vote_keeper::Window,
};

use super::Rules;

impl Rules<'_> {
    /// R4: returns the latest proof of lock whose block this operator may propose. A block that its
    /// own node rejected is excluded, unless it is locked on it: others may be locked too, and then
    /// no other block is possible. Without any lock there would be no block as long as all leaders
    /// insist on this one.
    fn proof_to_propose(&self) -> Option<&Certificate> {
        let (round, tip) = (self.height.round, self.height.tip.hash);
        let locked = self.lock().map(|(_, hash)| hash);
        let bodies = &self.keeper().bodies;
        let fits = |proof: &&Certificate| {
            let usable = bodies.usable(proof.hash);
            let on_tip = usable.is_some_and(|candidate| candidate.previous == tip);
            on_tip && (locked == Some(proof.hash) || !self.is_excluded(proof.hash))
        };
        self.keeper().proofs.below(round).find(fits)
    }

    fn is_excluded(&self, hash: BlockHash) -> bool {
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::InsistOnRefused) {
            return false;
        }
        self.keeper().bodies.refused(hash)
    }

    /// R4: the leader proposes the block of the latest proof of lock, else a fresh one.
    pub(super) fn propose(&mut self) -> bool {
        let (number, round) = (self.height.number(), self.height.round);
        if self.observing || !self.is_leader() || self.height.own.proposals.contains_key(&round) {
            return false;
        }
        if let Some(proof) = self.proof_to_propose().cloned() {
            self.send_proposal(proof.hash, Some(proof.round));
            self.send(Message::Certificate(proof));
            return true;
        }
        if self.height.template == RequestState::Idle {
            self.height.template = RequestState::Pending;
            self.out.push(Output::RequestTemplate {
                height: number,
                round,
            });
        }
        false
    }

    /// R4: the template has arrived; if there is still time, propose it.
    pub(crate) fn propose_template(&mut self, round: Round, candidate: Candidate) {
        let in_time = matches!(self.height.step, Step::Propose { .. });
        if !in_time || round != self.height.round || self.height.template != RequestState::Pending {
            return;
        }
        // A proof of lock that arrived in the meantime may have been proposed already: never two.
        if self.height.own.proposals.contains_key(&round) {
            return;
        }
        if let Err(reason) = self.check(&candidate) {
            self.height.template = RequestState::Failed;
            self.out.alarm(Alarm::UnfitTemplate {
                height: self.height.number(),
                reason,
            });
            return;
        }
        self.height.template = RequestState::Done;
        let hash = candidate.hash;
        let body = Message::Body(Body {
            height: candidate.height,
            hash,
            bytes: candidate.bytes.clone(),
        });
        // This operator's node made it, so there is no need to test it.
        let (bodies, me) = (&mut self.height.keeper.bodies, self.config.me());
        bodies.insert(me, candidate, Validity::Valid);
        self.store_body(hash);
        self.send_proposal(hash, None);
        self.send(body);
        // R22: this answers every request.
        self.height.replies.record_broadcast(hash, self.now);
    }

    fn send_proposal(&mut self, hash: BlockHash, valid_round: Option<Round>) {
        let proposal = Proposal {
            height: self.height.number(),
            round: self.height.round,
            hash,
            valid_round,
        };
        debug_assert!(self.is_leader(), "R3: a proposal by another operator");
        debug_assert!(
            matches!(self.height.step, Step::Propose { .. })
                && !self.height.own.proposals.contains_key(&proposal.round),
            "R4: one proposal in a round, before the prevote"
        );
        self.out.persist(Record::Proposal(proposal));
        self.record_own_proposal(proposal);
        self.send(Message::Proposal(proposal));
    }

    pub(crate) fn record_own_proposal(&mut self, proposal: Proposal) {
        let window = Window::around(self.height.round, self.config);
        self.height.own.proposals.insert(proposal.round, proposal);
        let keeper = &mut self.height.keeper;
        let _ = keeper.add_proposal(window, self.config.me(), proposal, None);
    }

    /// R5: checks what can be checked without the node. The time of a block with a proof of lock
    /// was right for M operators when it was fresh, and must not expire.
    pub(super) fn check(&self, candidate: &Candidate) -> Result<(), Refusal> {
        let tip = &self.height.tip;
        schedule::check_position(candidate, tip)?;
        let proof = self.keeper().proof_round(candidate.hash, self.height.round);
        if proof.is_some() {
            return Ok(());
        }
        let (interval, drift) = (self.config.interval(), self.config.max_drift());
        schedule::check_time(candidate, tip, interval, drift, self.now)
    }
}
