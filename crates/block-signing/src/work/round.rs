//! Beginning a height, entering and leaving rounds (rules R2, R12 to R15, R26).

use federation_chain::UnixTime;
use federation_roster::Round;

use crate::{
    Event, Record, RoundOutcome, RoundReport,
    ballots::Window,
    schedule,
    state::{Errand, Step},
};

use super::Work;

impl Work<'_> {
    /// R2: the height begins.
    pub(super) fn begin(&mut self) -> bool {
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
        self.trim_bodies();
        self.out.event(Event::RoundStarted {
            height: self.height.number(),
            round,
            leader: self.config.leader(self.height.number(), round),
        });
    }

    /// R15: leaves the round for a later one, with the reason why all rounds before that are over,
    /// which is repeated (R20) so that nobody stays behind.
    fn move_on(&mut self, outcome: RoundOutcome) -> bool {
        let Some(over) = self.height.ballots.over.clone() else {
            return false;
        };
        self.report_round(outcome);
        let round = over.round.next();
        if !self.observing {
            let number = self.height.number();
            self.out.persist(Record::Round(number, round));
            self.out.persist(Record::RoundCertificate(over));
        }
        self.enter(round);
        true
    }

    /// R14: M precommits of a later round: that round is over for everybody.
    pub(super) fn follow(&mut self) -> bool {
        #[cfg(test)]
        if self.follow_few() {
            return true;
        }
        let over = self.ballots().over.as_ref();
        over.is_some_and(|over| over.round > self.height.round) && self.move_on(RoundOutcome::Left)
    }

    #[cfg(test)]
    fn follow_few(&mut self) -> bool {
        if self.config.mutation != Some(crate::mutation::Mutation::FollowFew) {
            return false;
        }
        let few = self.config.one_honest();
        let later = self.ballots().spoken_after(self.height.round, few);
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
        // Only in the first turn of leaders: rounds that fail at once must not spin.
        let first_turn = (round.to_u32() as usize) < self.config.size();
        if first_turn && precommits.count(None) >= self.quorum() {
            return self.move_on(RoundOutcome::NotDecided);
        }
        if precommits.total() < self.quorum() {
            return false;
        }
        let wait = self.config.grown(self.config.timeouts().precommit, round);
        let until = *self
            .height
            .round_until
            .get_or_insert_with(|| self.now.after(wait));
        until <= self.now && self.move_on(RoundOutcome::NotDecided)
    }

    pub(super) fn report_round(&mut self, outcome: RoundOutcome) {
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
