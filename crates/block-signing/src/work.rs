//! The rules of `docs/protocol.md`, applied to one height until none applies any more.
//!
//! Inputs only note facts (`handle`); what follows from the facts and the time is here. Nothing
//! is sent, signed or decided anywhere else.

use core::time::Duration;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, UnixTime};
use federation_roster::{OperatorId, Round};

use crate::{
    Alarm, BlockSignature, Body, BodyRequest, Candidate, Config, Event, Message, Output, Proposal,
    Record, Refusal, RoundOutcome, RoundReport, Vote, VoteKind,
    ballots::{Ballots, RoundBallots, Window},
    bodies::Judgement,
    outbox::Outbox,
    schedule,
    state::{Errand, Height, Search, Step},
};

/// What a proposal deserves.
enum Opinion {
    /// A prevote for it.
    Accept,
    /// A prevote for nil.
    Refuse(Refusal),
    /// Not known yet: a body, a proof or an answer is missing.
    Open,
}

/// One height, with what the rules need besides.
pub(crate) struct Work<'a> {
    pub(crate) config: &'a Config,
    pub(crate) observing: bool,
    pub(crate) now: UnixTime,
    pub(crate) height: &'a mut Height,
    pub(crate) out: &'a mut Outbox,
}

impl Work<'_> {
    /// Applies rules until none applies.
    pub(crate) fn run(&mut self) {
        while self.apply() {}
        self.search_body();
        self.beat();
    }

    const fn quorum(&self) -> usize {
        self.config.quorum()
    }

    fn ballots(&self) -> &Ballots {
        &self.height.ballots
    }

    fn current(&self) -> Option<&RoundBallots> {
        self.ballots().round(self.height.round)
    }

    fn leads(&self) -> bool {
        self.config.leader(self.height.number(), self.height.round) == self.config.me()
    }

    /// Applies one rule; false if none applies.
    fn apply(&mut self) -> bool {
        if self.submit() {
            return true; // R18
        }
        if self.height.step == Step::Decided {
            return self.sign(); // R17
        }
        if self.ballots().decision.is_some() {
            return self.decide(); // R16
        }
        if let Step::Waiting { start } = self.height.step {
            return start <= self.now && self.begin(); // R2
        }
        if self.follow() || self.next_round() {
            return true; // R14; R12, R13
        }
        match self.height.step {
            Step::Propose { until } => {
                self.precommit_block() // R9
                    || self.propose() // R4
                    || self.prevote() // R5, R6, R7
                    || (until <= self.now && self.cast(VoteKind::Prevote, None)) // R8
            }
            Step::Prevote { until } => {
                self.precommit_block() // R9
                    || self.precommit_nil(until) // R10, R11
            }
            Step::Precommit => {
                self.remember_proof(self.height.round);
                false
            }
            Step::Waiting { .. } | Step::Decided => false,
        }
    }

    /// R2: the height begins.
    fn begin(&mut self) -> bool {
        let target = schedule::target(&self.height.tip, self.config.interval());
        self.height.marks.height = Some(self.now);
        self.height.beat_at = Some(self.now.after(self.config.beat()));
        self.out.event(Event::HeightStarted {
            height: self.height.number(),
            late: target.map_or_else(Default::default, |target| self.now.since(target)),
        });
        self.enter(self.height.round);
        true
    }

    /// Starts the clock of a round; what it says is up to the rules.
    pub(crate) fn enter(&mut self, round: Round) {
        let until = self.config.grown(self.config.timeouts().propose, round);
        self.height.round = round;
        self.height.step = Step::Propose {
            until: self.now.after(until),
        };
        self.height.round_until = None;
        self.height.template = Errand::Idle;
        self.height.marks.round = Some(self.now);
        self.height.marks.prevote = None;
        self.height.marks.precommit = None;
        self.height.ballots.bodies.retry_refused();
        let window = Window::around(round, self.config);
        self.height.ballots.forget_rounds(window);
        self.height.own.forget_rounds(window.low());
        self.trim_bodies();
        self.out.event(Event::RoundStarted {
            height: self.height.number(),
            round,
            leader: self.config.leader(self.height.number(), round),
        });
    }

    /// R15: leaves the round for a later one, and fills the round before that with the votes for
    /// nil that were not cast in it, so that nobody waits there for this operator's votes.
    fn move_to(&mut self, round: Round, outcome: RoundOutcome) -> bool {
        self.report_round(outcome);
        let number = self.height.number();
        let before = Round::new(round.to_u32().saturating_sub(1));
        self.record_vote(VoteKind::Prevote, before, None);
        self.record_vote(VoteKind::Precommit, before, None);
        if !self.observing {
            self.out.persist(Record::Round(number, round));
        }
        self.enter(round);
        true
    }

    /// R14: 2M - N operators in a later round: at least one of them is honest.
    fn follow(&mut self) -> bool {
        let later = self.ballots().later_round(
            self.height.round,
            self.config.me(),
            self.config.one_honest(),
        );
        later.is_some_and(|round| self.move_to(round, RoundOutcome::Left))
    }

    /// R12, R13: M precommits, for nil or mixed.
    fn next_round(&mut self) -> bool {
        let Some(current) = self.current() else {
            return false;
        };
        let precommits = &current.votes.precommits;
        let round = self.height.round;
        // Only in the first turn of leaders: rounds that fail at once must not spin.
        let first_turn = (round.to_u32() as usize) < self.config.size();
        if first_turn && precommits.count(None) >= self.quorum() {
            return self.move_to(round.next(), RoundOutcome::NotDecided);
        }
        if precommits.total() < self.quorum() {
            return false;
        }
        let wait = self.config.grown(self.config.timeouts().precommit, round);
        let until = *self
            .height
            .round_until
            .get_or_insert_with(|| self.now.after(wait));
        until <= self.now && self.move_to(round.next(), RoundOutcome::NotDecided)
    }

    /// R4: the leader proposes the block of the latest proof of lock, else a fresh one.
    fn propose(&mut self) -> bool {
        let (number, round) = (self.height.number(), self.height.round);
        if self.observing || !self.leads() || self.height.own.proposals.contains_key(&round) {
            return false;
        }
        let tip = self.height.tip.hash;
        let proofs = self.ballots().proofs.range(..round).rev();
        let valid = proofs
            .filter_map(|(_, proof)| {
                let candidate = self.ballots().bodies.usable(proof.hash)?;
                (candidate.previous == tip).then_some(proof)
            })
            .next()
            .cloned();
        if let Some(proof) = valid {
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
    }

    /// R26: goes on in the round of before the restart, after the last step taken in it, and
    /// repeats what was said there.
    pub(crate) fn resume(&mut self) {
        let round = self.height.round;
        self.begin();
        if let Some(proposal) = self.height.own.proposals.get(&round).copied() {
            self.note_own_proposal(proposal);
        }
        if self.height.own.precommits.contains_key(&round) {
            self.height.step = Step::Precommit;
        } else if self.height.own.prevotes.contains_key(&round) {
            self.height.step = Step::Prevote { until: None };
        }
        self.height.beat_at = Some(self.now);
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

    /// R5: what can be checked without the node.
    fn check(&self, candidate: &Candidate) -> Result<(), Refusal> {
        let (interval, drift) = (self.config.interval(), self.config.max_drift());
        schedule::check(candidate, &self.height.tip, interval, drift, self.now)
    }

    /// R5, R6, R7: a prevote for the round's proposal, or for nil if it cannot have one.
    fn prevote(&mut self) -> bool {
        let Some(proposal) = self.proposal() else {
            return false;
        };
        match self.judge(&proposal) {
            Opinion::Accept => self.cast(VoteKind::Prevote, Some(proposal.hash)),
            Opinion::Refuse(reason) => {
                self.out.event(Event::Refused {
                    height: proposal.height,
                    round: proposal.round,
                    hash: proposal.hash,
                    reason,
                });
                self.cast(VoteKind::Prevote, None)
            }
            Opinion::Open => false,
        }
    }

    fn proposal(&self) -> Option<Proposal> {
        Some(self.current()?.proposed?.proposal)
    }

    fn judge(&mut self, proposal: &Proposal) -> Opinion {
        let hash = proposal.hash;
        if let Some((locked_in, locked)) = self.lock() {
            let proof = self.ballots().proof_round(hash, self.height.round);
            if locked != hash && proof < Some(locked_in) {
                // R7: the proof that the leader speaks of may still come.
                return if proposal.valid_round >= Some(locked_in) {
                    Opinion::Open
                } else {
                    Opinion::Refuse(Refusal::Locked)
                };
            }
        }
        let bodies = &mut self.height.ballots.bodies;
        let Some(candidate) = bodies.any(hash).cloned() else {
            return Opinion::Open;
        };
        match self.check(&candidate) {
            Ok(()) => {}
            // The clock goes on, and with it what is too late now.
            Err(Refusal::TooLate) => return Opinion::Open,
            Err(reason) => return Opinion::Refuse(reason),
        }
        let bodies = &mut self.height.ballots.bodies;
        match bodies.judgement(hash) {
            Some(Judgement::Valid) => Opinion::Accept,
            Some(Judgement::Invalid(reason)) => Opinion::Refuse(Refusal::Invalid(reason.clone())),
            Some(Judgement::Unknown) if !self.observing => {
                if let Some(candidate) = bodies.start_test(hash) {
                    self.out.push(Output::TestBlock { candidate });
                }
                Opinion::Open
            }
            _ => Opinion::Open,
        }
    }

    fn lock(&self) -> Option<(Round, BlockHash)> {
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::NoLock) {
            return None;
        }
        self.height.own.lock()
    }

    /// R9: M prevotes for a block that is held and not refused: lock it and precommit it.
    fn precommit_block(&mut self) -> bool {
        let round = self.height.round;
        let Some(hash) = self.ballots().proofs.get(&round).map(|proof| proof.hash) else {
            return false;
        };
        if self.ballots().bodies.usable(hash).is_none() {
            return false;
        }
        self.remember_proof(round);
        self.cast(VoteKind::Precommit, Some(hash))
    }

    /// R10, R11: M prevotes for nil, or M prevotes and no agreement in time.
    fn precommit_nil(&mut self, until: Option<UnixTime>) -> bool {
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
                let wait = self.config.grown(timeout, self.height.round);
                self.height.step = Step::Prevote {
                    until: Some(self.now.after(wait)),
                };
                true
            }
        }
    }

    /// R25: a vote is recorded, then sent; at most one of a kind in a round.
    fn record_vote(&mut self, kind: VoteKind, round: Round, value: Option<BlockHash>) {
        let vote = self.height.vote(kind, round, value);
        if self.observing || self.height.own.votes(kind).contains_key(&round) {
            return;
        }
        self.height.own.votes_mut(kind).insert(round, value);
        self.out.persist(Record::Vote(vote));
        self.out.send(Message::Vote(vote));
    }

    /// Votes in the current round, and takes the step that follows.
    fn cast(&mut self, kind: VoteKind, value: Option<BlockHash>) -> bool {
        if let Some(hash) = value {
            self.store_body(hash);
        }
        self.record_vote(kind, self.height.round, value);
        let marks = &mut self.height.marks;
        match kind {
            VoteKind::Prevote => {
                marks.prevote = Some(self.now);
                self.height.step = Step::Prevote { until: None };
            }
            VoteKind::Precommit => {
                marks.precommit = Some(self.now);
                self.height.step = Step::Precommit;
                #[cfg(test)]
                self.sign_too_early(value);
            }
        }
        true
    }

    /// R9, R4: keeps the proof of lock of a round with its block, to propose it again.
    fn remember_proof(&mut self, round: Round) {
        let Some(proof) = self.height.ballots.proofs.get(&round) else {
            return;
        };
        let hash = proof.hash;
        let held = self.ballots().bodies.usable(hash).is_some();
        if self.observing || !held || !self.height.stored_proofs.insert(round) {
            return;
        }
        if let Some(proof) = self.height.ballots.proofs.get(&round) {
            self.out.persist(Record::ProofOfLock(proof.clone()));
        }
        self.store_body(hash);
    }

    fn store_body(&mut self, hash: BlockHash) {
        if self.observing {
            return;
        }
        if let Some(candidate) = self.height.ballots.bodies.any(hash)
            && self.height.stored_bodies.insert(hash)
        {
            self.out.persist(Record::Body(candidate.clone()));
        }
    }

    /// R16: M precommits in one round.
    fn decide(&mut self) -> bool {
        let Some(decision) = self.height.ballots.decision.clone() else {
            return false;
        };
        let number = self.height.number();
        let (round, hash) = (decision.round, decision.hash);
        if self.height.marks.round.is_some() {
            self.report_round(RoundOutcome::Decided(hash));
        }
        if !self.height.stored_decision && !self.observing {
            self.out.persist(Record::Decision(decision));
        }
        self.height.stored_decision = true;
        self.height.step = Step::Decided;
        self.height.marks.decided = Some(self.now);
        self.height
            .beat_at
            .get_or_insert(self.now.after(self.config.beat()));
        self.out.event(Event::Decided {
            height: number,
            round,
            hash,
        });
        if let Some(Judgement::Invalid(_)) = self.ballots().bodies.judgement(hash) {
            self.out.alarm(Alarm::DecidedAgainstVerdict {
                height: number,
                hash,
            });
        }
        self.trim_bodies();
        true
    }

    /// R17: a decided block that is held is signed, once.
    fn sign(&mut self) -> bool {
        let Some(decision) = &self.height.ballots.decision else {
            return false;
        };
        let hash = decision.hash;
        let signed = self.height.own.signature.is_some();
        if self.observing || signed || self.height.signing != Errand::Idle {
            return false;
        }
        let Some(candidate) = self.ballots().bodies.any(hash).cloned() else {
            return false;
        };
        self.store_body(hash);
        self.height.signing = Errand::Asked;
        self.out.push(Output::SignBlock { candidate });
        true
    }

    #[cfg(test)]
    fn sign_too_early(&mut self, value: Option<BlockHash>) {
        if self.config.mutation == Some(crate::mutation::Mutation::SignAtPrecommit)
            && let Some(candidate) = value
                .and_then(|hash| self.ballots().bodies.any(hash))
                .cloned()
        {
            self.out.push(Output::SignBlock { candidate });
        }
    }

    /// R17: the signature is recorded, then sent.
    pub(crate) fn signed(&mut self, signature: BlockSignature) {
        if self.height.own.signature.is_none() {
            self.height.own.signature = Some(signature);
            self.height.marks.signed = Some(self.now);
            self.out.persist(Record::Signature(signature));
            self.out.send(Message::BlockSignature(signature));
        }
        self.height.signing = Errand::Done;
    }

    /// R18: whoever holds a block and M signatures submits it, also one who missed the decision.
    fn submit(&mut self) -> bool {
        if self.height.submitting != Errand::Idle {
            return false;
        }
        let Some(hash) = self.ballots().settled(self.quorum()) else {
            return false;
        };
        let Some(candidate) = self.ballots().bodies.any(hash).cloned() else {
            return false;
        };
        let signatures = self.ballots().signatures(hash);
        let signatures: BTreeMap<_, _> = signatures
            .map(|(id, signed)| (id, signed.signature))
            .collect();
        if signatures.len() < self.quorum() {
            return false;
        }
        self.height.submitting = Errand::Asked;
        self.height.marks.submitted.get_or_insert(self.now);
        self.height
            .beat_at
            .get_or_insert(self.now.after(self.config.beat()));
        self.out.push(Output::Submit {
            candidate,
            signatures,
        });
        true
    }

    /// The body that is needed most and not held, and whether it is needed at once.
    fn missing_body(&self) -> Option<(BlockHash, bool)> {
        if self.observing {
            return None;
        }
        let ballots = self.ballots();
        let missing = |hash: &BlockHash| ballots.bodies.usable(*hash).is_none();
        if let Some(hash) = ballots.settled(self.quorum()) {
            return Some((hash, true)).filter(|_| missing(&hash));
        }
        if matches!(self.height.step, Step::Waiting { .. }) {
            return None;
        }
        let proven = ballots
            .proofs
            .get(&self.height.round)
            .map(|proof| proof.hash);
        if let Some(hash) = proven.filter(missing) {
            return Some((hash, true));
        }
        let proposed = self.proposal().map(|proposal| proposal.hash);
        proposed.filter(missing).map(|hash| (hash, false))
    }

    /// R22: asks those who must have it, one after the other, for a body that is needed. A
    /// proposed one is given a moment, as it is on its way from the leader.
    fn search_body(&mut self) {
        let Some((hash, urgent)) = self.missing_body() else {
            self.height.search = None;
            return;
        };
        let delay = if urgent {
            Duration::ZERO
        } else {
            self.config.timeouts().propose / 4
        };
        let at = self.now.after(delay);
        let mut search = match self.height.search {
            Some(search) if search.hash == hash && search.attempt > 0 => search,
            Some(search) if search.hash == hash => Search {
                at: at.min(search.at),
                ..search
            },
            _ => Search {
                hash,
                at,
                attempt: 0,
            },
        };
        if search.at <= self.now {
            if let Some(asked) = self.holder(hash, search.attempt) {
                self.out.send(Message::BodyRequest(BodyRequest {
                    height: self.height.number(),
                    hash,
                    asked,
                }));
            }
            search.attempt += 1;
            search.at = self.now.after(self.config.beat());
        }
        self.height.search = Some(search);
    }

    fn holder(&self, hash: BlockHash, attempt: usize) -> Option<OperatorId> {
        let holders = self.ballots().holders(hash, self.config);
        holders.get(attempt.checked_rem(holders.len())?).copied()
    }

    /// R20: at the beat of an unfinished height, what failed is tried again and what was said is
    /// repeated.
    fn beat(&mut self) {
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
        if let Some(signature) = self.height.own.signature {
            self.out.send(Message::BlockSignature(signature));
        }
    }

    /// The own proposal and votes of this round, the votes of the round before, for those who are
    /// still in it, and the latest proof of lock.
    fn repeat_round(&mut self) {
        if self.observing {
            return;
        }
        let round = self.height.round;
        let before = round.to_u32().checked_sub(1).map(Round::new);
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
        if let Some((_, proof)) = self.height.ballots.proofs.last_key_value() {
            self.out.send(Message::Certificate(proof.clone()));
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
            ballots.proofs.last_key_value().map(|(_, proof)| proof.hash),
            ballots.settled(self.quorum()),
        ];
        let wanted = wanted.into_iter().flatten().collect();
        self.height.ballots.bodies.trim(&wanted);
    }

    fn report_round(&mut self, outcome: RoundOutcome) {
        let marks = self.height.marks;
        let (number, round) = (self.height.number(), self.height.round);
        let Some(started) = marks.round else {
            return;
        };
        let current = self.current();
        let since = |time: Option<UnixTime>| time.map(|time| time.since(started));
        let report = RoundReport {
            height: number,
            round,
            leader: self.config.leader(number, round),
            outcome,
            proposal: self.proposal().map(|proposal| proposal.hash),
            prevotes: current
                .map(|c| c.votes.prevotes.iter().collect())
                .unwrap_or_default(),
            precommits: current
                .map(|c| c.votes.precommits.iter().collect())
                .unwrap_or_default(),
            until_prevote: since(marks.prevote),
            until_precommit: since(marks.precommit),
            until_end: self.now.since(started),
        };
        self.out.event(Event::RoundEnded(Box::new(report)));
    }

    /// R19: the height is over; the round that was under way, if any, is reported as left.
    pub(crate) fn leave(&mut self) {
        let decided = self.height.step == Step::Decided;
        if !decided && self.height.marks.round.is_some() {
            self.report_round(RoundOutcome::Left);
        }
    }
}
