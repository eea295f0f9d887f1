//! Beginning a height, entering and leaving rounds (rules R2, R12 to R15, R26).

use federation_chain::UnixTime;
use federation_roster::Round;

use crate::{
    Event, Record, RoundOutcome, RoundReport, schedule,
    state::{RequestState, Step},
    vote_keeper::Window,
};

use super::Rules;

impl Rules<'_> {
    /// R2: the height begins.
    pub(super) fn begin(&mut self) -> bool {
        let target = schedule::target(&self.height.tip, self.config.interval());
        self.height.timestamps.height = Some(self.now);
        self.height.retransmit_at =
            Some(self.now.saturating_add(self.config.retransmit_interval()));
        self.out.event(Event::HeightStarted {
            height: self.height.number(),
            late: target.map_or_else(Default::default, |target| {
                self.now.saturating_duration_since(target)
            }),
        });
        self.enter(self.height.round);
        true
    }

    /// R26: resumes in the round of before the restart, after the last step taken there, and
    /// retransmits what was sent in it.
    pub(crate) fn resume(&mut self) {
        let round = self.height.round;
        self.begin();
        if let Some(proposal) = self.height.own.proposals.get(&round).copied() {
            self.record_own_proposal(proposal);
        }
        if self.height.own.precommits.contains_key(&round) {
            self.height.step = Step::Precommit;
        } else if self.height.own.prevotes.contains_key(&round) {
            self.height.step = Step::Prevote { until: None };
        }
        self.height.retransmit_at = Some(self.now);
    }

    /// Starts a round; the rules determine what is sent in it.
    pub(crate) fn enter(&mut self, round: Round) {
        debug_assert!(round >= self.height.round, "R14: rounds only increase");
        let until = self
            .config
            .timeout_in_round(self.config.timeouts().propose, round);
        self.height.round = round;
        self.height.step = Step::Propose {
            until: self.now.saturating_add(until),
        };
        self.height.round_deadline = None;
        self.height.template = RequestState::Idle;
        self.height.timestamps.round = Some(self.now);
        self.height.timestamps.prevote = None;
        self.height.timestamps.precommit = None;
        self.height.keeper.bodies.retry_refused();
        let window = Window::around(round, self.config);
        self.height.keeper.prune_rounds(window);
        self.trim_bodies();
        self.out.event(Event::RoundStarted {
            height: self.height.number(),
            round,
            leader: self.config.leader(self.height.number(), round),
        });
    }

    /// R15: leaves the round for a later one, with the proof that all rounds before that are over.
    /// It is retransmitted (R20), so that no operator is left behind.
    fn enter_next_round(&mut self, outcome: RoundOutcome) -> bool {
        let Some(certificate) = self.height.keeper.round_certificate.clone() else {
            return false;
        };
        debug_assert!(
            certificate.round >= self.height.round,
            "R15: the certificate is of an earlier round"
        );
        self.report_round(outcome);
        let round = certificate.round.next();
        if !self.observing {
            let number = self.height.number();
            self.out.persist(Record::Round(number, round));
            self.out.persist(Record::RoundCertificate(certificate));
        }
        self.enter(round);
        true
    }

    /// R14: M precommits of a later round: that round is over for every operator.
    pub(super) fn follow_round_certificate(&mut self) -> bool {
        #[cfg(test)]
        if self.follow_minority() {
            return true;
        }
        let certificate = self.keeper().round_certificate.as_ref();
        certificate.is_some_and(|certificate| certificate.round > self.height.round)
            && self.enter_next_round(RoundOutcome::Left)
    }

    #[cfg(test)]
    fn follow_minority(&mut self) -> bool {
        if self.config.mutation != Some(crate::mutation::Mutation::FollowMinority) {
            return false;
        }
        let few = self.config.quorum_overlap();
        let later = self
            .keeper()
            .latest_round_with_votes(self.height.round, few);
        later.is_some_and(|round| {
            self.out.persist(Record::Round(self.height.number(), round));
            self.enter(round);
            true
        })
    }

    /// R12, R13: M precommits, for nil or mixed.
    pub(super) fn next_round(&mut self) -> bool {
        let Some(current) = self.current() else {
            return false;
        };
        let precommits = &current.votes.precommits;
        let round = self.height.round;
        // Only in the first N rounds: rounds that fail at once must not spin.
        let first_turn = (round.to_u32() as usize) < self.config.size();
        if first_turn && precommits.count(None) >= self.quorum() {
            return self.enter_next_round(RoundOutcome::NotDecided);
        }
        if precommits.total() < self.quorum() {
            return false;
        }
        let wait = self
            .config
            .timeout_in_round(self.config.timeouts().precommit, round);
        let until = *self
            .height
            .round_deadline
            .get_or_insert_with(|| self.now.saturating_add(wait));
        until <= self.now && self.enter_next_round(RoundOutcome::NotDecided)
    }

    pub(super) fn report_round(&mut self, outcome: RoundOutcome) {
        let timestamps = self.height.timestamps;
        let (number, round) = (self.height.number(), self.height.round);
        let Some(started) = timestamps.round else {
            return;
        };
        let current = self.current();
        let since =
            |time: Option<UnixTime>| time.map(|time| time.saturating_duration_since(started));
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
            until_prevote: since(timestamps.prevote),
            until_precommit: since(timestamps.precommit),
            until_end: self.now.saturating_duration_since(started),
        };
        self.out.event(Event::RoundEnded(Box::new(report)));
    }

    /// R19: the height is over; a round still under way is reported as left.
    pub(crate) fn leave(&mut self) {
        let decided = self.height.step == Step::Decided;
        if !decided && self.height.timestamps.round.is_some() {
            self.report_round(RoundOutcome::Left);
        }
    }
}
