//! Prevotes and precommits (rules R5 to R11, R25).

use federation_chain::{BlockHash, UnixTime};
use federation_roster::Round;

use crate::{
    Event, Message, Output, Proposal, Record, Refusal, VoteKind, bodies::Validity, state::Step,
};

use super::Rules;

/// What to do about a proposal.
enum Opinion {
    /// Prevote for it.
    Accept,
    /// Prevote nil.
    Refuse(Refusal),
    /// Not known yet: a body, a proof or an answer is missing.
    Open,
}

impl Rules<'_> {
    /// R5, R6, R7: prevotes for the round's proposal, or nil if it is not acceptable.
    pub(super) fn prevote(&mut self) -> bool {
        let Some(proposal) = self.proposal() else {
            return false;
        };
        match self.judge(&proposal) {
            Opinion::Accept => self.cast(VoteKind::Prevote, Some(proposal.hash)),
            Opinion::Refuse(reason) => {
                self.refuse(&proposal, reason);
                self.cast(VoteKind::Prevote, None)
            }
            Opinion::Open => false,
        }
    }

    /// R8: prevotes nil at the timeout. A block from a clock that is ahead was waited for until
    /// now, so its refusal is reported only here.
    pub(super) fn prevote_late(&mut self) -> bool {
        if let Some(proposal) = self.proposal()
            && let Some(candidate) = self.keeper().bodies.any(proposal.hash)
            && self.check(candidate) == Err(Refusal::TooLate)
        {
            self.refuse(&proposal, Refusal::TooLate);
        }
        self.cast(VoteKind::Prevote, None)
    }

    fn refuse(&mut self, proposal: &Proposal, reason: Refusal) {
        self.out.event(Event::Refused {
            height: proposal.height,
            round: proposal.round,
            hash: proposal.hash,
            reason,
        });
    }

    pub(super) fn proposal(&self) -> Option<Proposal> {
        Some(self.current()?.proposed?.proposal)
    }

    fn judge(&mut self, proposal: &Proposal) -> Opinion {
        let hash = proposal.hash;
        if let Some((locked_in, locked)) = self.lock() {
            let proof = self.keeper().proof_round(hash, self.height.round);
            if locked != hash && proof < Some(locked_in) {
                // R7: the proof that the leader refers to may still arrive.
                return if proposal.valid_round >= Some(locked_in) {
                    Opinion::Open
                } else {
                    Opinion::Refuse(Refusal::Locked)
                };
            }
        }
        let bodies = &mut self.height.keeper.bodies;
        let Some(candidate) = bodies.any(hash).cloned() else {
            return Opinion::Open;
        };
        match self.check(&candidate) {
            Ok(()) => {}
            // What is too late now may be on time as the clock advances.
            Err(Refusal::TooLate) => return Opinion::Open,
            Err(reason) => return Opinion::Refuse(reason),
        }
        let bodies = &mut self.height.keeper.bodies;
        match bodies.validity(hash) {
            Some(Validity::Valid) => Opinion::Accept,
            Some(Validity::Invalid(reason)) => Opinion::Refuse(Refusal::Invalid(reason.clone())),
            Some(Validity::Unknown) if !self.observing => {
                if let Some(candidate) = bodies.start_test(hash) {
                    self.out.push(Output::TestBlock { candidate });
                }
                Opinion::Open
            }
            _ => Opinion::Open,
        }
    }

    pub(super) fn lock(&self) -> Option<(Round, BlockHash)> {
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::NoLock) {
            return None;
        }
        self.height.own.lock()
    }

    /// R9: M prevotes for a block that is held and not rejected: locks it and precommits it.
    pub(super) fn precommit_block(&mut self) -> bool {
        let round = self.height.round;
        let usable = |hash: &BlockHash| self.keeper().bodies.usable(*hash).is_some();
        let mut proven = self.keeper().proofs.of_round(round).map(|proof| proof.hash);
        let Some(hash) = proven.find(usable) else {
            return false;
        };
        drop(proven);
        self.remember_proofs(round);
        self.store_body(hash);
        self.cast(VoteKind::Precommit, Some(hash))
    }

    /// R10, R11: precommits nil on M prevotes for nil, or on M prevotes without agreement in time.
    pub(super) fn precommit_nil(&mut self, until: Option<UnixTime>) -> bool {
        let Some(current) = self.current() else {
            return false;
        };
        let prevotes = &current.votes.prevotes;
        if prevotes.count(None) >= self.quorum() {
            return self.cast(VoteKind::Precommit, None);
        }
        if prevotes.total() < self.quorum() {
            return false;
        }
        match until {
            Some(until) => until <= self.now && self.cast(VoteKind::Precommit, None),
            None => {
                let timeout = self.config.timeouts().prevote;
                let wait = self.config.timeout_in_round(timeout, self.height.round);
                self.height.step = Step::Prevote {
                    until: Some(self.now.saturating_add(wait)),
                };
                true
            }
        }
    }

    /// R25: a vote is recorded, then sent; at most one of each kind per round.
    pub(super) fn record_vote(&mut self, kind: VoteKind, round: Round, value: Option<BlockHash>) {
        let vote = self.height.vote(kind, round, value);
        if self.observing || self.height.own.votes(kind).contains_key(&round) {
            return;
        }
        self.height.own.votes_mut(kind).insert(round, value);
        self.out.persist(Record::Vote(vote));
        self.send(Message::Vote(vote));
    }

    /// R7, R9: the step allows this vote, and so does the lock or the proof of lock.
    fn check_vote(&self, kind: VoteKind, value: Option<BlockHash>) {
        let round = self.height.round;
        match kind {
            VoteKind::Prevote => {
                let step = matches!(self.height.step, Step::Propose { .. });
                debug_assert!(step, "R6, R8: one prevote in a round");
                if let (Some((locked_in, locked)), Some(hash)) = (self.lock(), value) {
                    let proof = self.keeper().proof_round(hash, round);
                    let allowed = hash == locked || proof >= Some(locked_in);
                    debug_assert!(
                        allowed,
                        "R7: a prevote against the lock of round {locked_in}"
                    );
                }
            }
            VoteKind::Precommit => {
                let step = matches!(
                    self.height.step,
                    Step::Propose { .. } | Step::Prevote { .. }
                );
                debug_assert!(step, "R9, R10, R11: one precommit in a round");
                if let Some(hash) = value {
                    let proven = self.keeper().proofs.get(round, hash).is_some();
                    debug_assert!(proven, "R9: a precommit without a proof of lock");
                    let stored = self.height.stored_proofs.contains(&(round, hash))
                        && self.height.stored_bodies.contains(&hash);
                    debug_assert!(
                        stored || self.observing,
                        "R25: a lock whose block or proof is not on record"
                    );
                }
            }
        }
    }

    /// Votes in the current round, and takes the step that follows.
    pub(super) fn cast(&mut self, kind: VoteKind, value: Option<BlockHash>) -> bool {
        if cfg!(debug_assertions) {
            self.check_vote(kind, value);
        }
        self.record_vote(kind, self.height.round, value);
        let timestamps = &mut self.height.timestamps;
        match kind {
            VoteKind::Prevote => {
                timestamps.prevote = Some(self.now);
                self.height.step = Step::Prevote { until: None };
            }
            VoteKind::Precommit => {
                timestamps.precommit = Some(self.now);
                self.height.step = Step::Precommit;
                #[cfg(test)]
                self.sign_too_early(value);
            }
        }
        true
    }

    /// R9, R4: records the proof of lock of a round with its block, to propose it again.
    pub(super) fn remember_proofs(&mut self, round: Round) {
        if self.observing {
            return;
        }
        let keeper = &self.height.keeper;
        let held = keeper.proofs.of_round(round).filter(|proof| {
            let stored = self.height.stored_proofs.contains(&(round, proof.hash));
            !stored && keeper.bodies.usable(proof.hash).is_some()
        });
        let held: Vec<_> = held.cloned().collect();
        for proof in held {
            let hash = proof.hash;
            self.height.stored_proofs.insert((round, hash));
            self.out.persist(Record::ProofOfLock(proof));
            self.store_body(hash);
        }
    }

    pub(super) fn store_body(&mut self, hash: BlockHash) {
        if self.observing {
            return;
        }
        if let Some(candidate) = self.height.keeper.bodies.any(hash)
            && self.height.stored_bodies.insert(hash)
        {
            self.out.persist(Record::Body(candidate.clone()));
        }
    }
}
