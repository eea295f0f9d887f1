//! The node's tip: it ends one height and begins the wait for the next.

use core::mem;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use federation_chain::UnixTime;

use crate::{
    Alarm, Event, HeightReport, Machine, Output, Record, Standing, Tip,
    answers::Answers,
    ballots::Ballots,
    schedule,
    state::{Finished, Height, Memory, Step},
};

impl Machine {
    pub(crate) fn on_tip(&mut self, now: UnixTime, tip: Tip) {
        // R1: never at or below what is final.
        let worked_on = self.height.as_ref().map(|height| height.tip.height);
        let floor = worked_on.max(self.last_final);
        if let Some(last_final) = floor.filter(|floor| tip.height < *floor) {
            self.out.alarm(Alarm::NodeBehind {
                tip: tip.height,
                last_final,
            });
            return;
        }
        if let Some(height) = self.height.as_mut().filter(|h| h.tip.height == tip.height) {
            if height.tip.hash != tip.hash {
                self.out.alarm(Alarm::TipReplaced {
                    height: tip.height,
                    old: height.tip.hash,
                    new: tip.hash,
                });
            }
            height.tip = tip;
            return;
        }
        let since = if worked_on.is_some() {
            now
        } else {
            now.min(tip.time)
        };
        let ballots = self.finish(now, tip);
        if worked_on.is_none() {
            self.observe_from(now);
        }
        self.start(now, since, tip, ballots);
    }

    /// R19: the node has the height's block. Gives what came early for the height above the tip.
    fn finish(&mut self, now: UnixTime, tip: Tip) -> Ballots {
        if let Some(mut work) = self.work(now) {
            work.leave();
        }
        let next = mem::take(&mut self.next);
        let Some(height) = self.height.take() else {
            return next;
        };
        if height.number() != tip.height {
            return Ballots::default();
        }
        let settled = height.ballots.settled(self.config.quorum());
        if settled.is_some_and(|hash| hash == tip.hash) && self.is_young(height.tip, tip) {
            self.take_part(tip);
        }
        self.report(now, tip, &height);
        self.keep_finished(now, tip, height);
        next
    }

    /// R29: whether a block was proposed after the observing began, so that its height is not below
    /// any at which the former life voted. Clocks differ by up to the drift, and a block's time is
    /// up to the drift ahead of them, unless it is the lowest that its parent's median time allows.
    fn is_young(&self, parent: Tip, block: Tip) -> bool {
        let Standing::Observing { since: Some(since) } = self.standing else {
            return false;
        };
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::TrustOldHeights) {
            return true;
        }
        let drift = self.config.max_drift();
        let by_the_clock = block.time.as_secs() > parent.median_time.as_secs() + 1;
        by_the_clock && block.time > since.after(drift).after(drift)
    }

    /// R29: the observing begins with the first tip after each start: the clock may have been wrong
    /// before.
    fn observe_from(&mut self, now: UnixTime) {
        if let Standing::Observing { since } = &mut self.standing {
            *since = Some(now);
            self.standing_is_new = true;
        }
    }

    /// R29: and anew when the clock is set, as that of a machine that has just begun to ask for the
    /// time: no block is younger than the observing by a clock that was wrong.
    pub(crate) fn observe_anew_if_clock_was_set(&mut self, before: UnixTime, now: UnixTime) {
        let Standing::Observing { since: Some(since) } = self.standing else {
            return;
        };
        let was_set = now < since || now > before.after(self.config.max_drift());
        if was_set && self.height.is_some() {
            self.standing = Standing::Observing { since: Some(now) };
            self.out.persist(Record::Standing(self.standing));
        }
    }

    /// R29: an observer that worked at a height has seen others settle it.
    fn take_part(&mut self, tip: Tip) {
        if self.observing() {
            self.standing = Standing::TakingPart;
            self.out.persist(Record::Standing(self.standing));
            self.out.event(Event::TakingPart {
                from: tip.height.next(),
            });
        }
    }

    fn report(&mut self, now: UnixTime, tip: Tip, height: &Height) {
        let decision = height.ballots.decision.as_ref();
        if let Some(decided) = decision.map(|d| d.hash).filter(|hash| *hash != tip.hash) {
            self.out.alarm(Alarm::OtherThanDecided {
                height: tip.height,
                decided,
                tip: tip.hash,
            });
        }
        let started = height.marks.height;
        let since = |time: Option<UnixTime>| Some(time?.since(started?));
        let round = decision.map(|decision| decision.round);
        let report = HeightReport {
            height: tip.height,
            hash: tip.hash,
            round,
            leader: round.map(|round| self.config.leader(tip.height, round)),
            signers: height.ballots.signatures(tip.hash).map(|s| s.0).collect(),
            until_decided: since(height.marks.decided),
            until_signed: since(height.marks.signed),
            until_submitted: since(height.marks.submitted),
            until_finished: since(Some(now)),
        };
        self.out.event(Event::HeightFinished(Box::new(report)));
    }

    /// R21: what settles the height is kept for those who missed it.
    fn keep_finished(&mut self, now: UnixTime, tip: Tip, mut height: Height) {
        let decision = height.ballots.decision.take();
        self.finished = decision
            .filter(|d| d.hash == tip.hash)
            .map(|decision| Finished {
                candidate: height.ballots.bodies.any(decision.hash).cloned(),
                signature: height.own.signature,
                signatures: height.ballots.compact_signatures(decision.hash),
                decision,
                helped: now,
                // Who lacks the decided block may have spent its answers on others.
                answers: Answers::default(),
                helpers: BTreeSet::new(),
            });
    }

    /// R1, R2, R26: the height above the tip, with what the store remembered of it.
    fn start(&mut self, now: UnixTime, since: UnixTime, tip: Tip, ballots: Ballots) {
        if mem::take(&mut self.standing_is_new) {
            self.out.persist(Record::Standing(self.standing));
        }
        if self.last_final < Some(tip.height) {
            self.last_final = Some(tip.height);
            self.out.persist(Record::Final(tip.height));
            self.out.push(Output::Forget { below: tip.height });
        }
        let start = schedule::start(&tip, self.config.interval(), since);
        let mut height = Height::new(tip, start, ballots);
        let number = height.number();
        if let Some(last) = self.memory.remove(&tip.height) {
            self.recall_finished(now, tip, last);
        }
        let memory = self.memory.remove(&number);
        self.memory.retain(|height, _| *height > number);
        let resumes = memory.is_some();
        if let Some(memory) = memory {
            self.resume(&mut height, memory);
        }
        if !resumes && start > now {
            self.out.event(Event::HeightWaiting {
                height: number,
                start,
            });
        }
        self.height = Some(height);
        if resumes && let Some(mut work) = self.work(now) {
            work.resume();
        }
    }

    fn recall_finished(&mut self, now: UnixTime, tip: Tip, memory: Memory) {
        let decision = memory.decision.filter(|d| d.hash == tip.hash);
        if let Some(decision) = decision.filter(|_| self.finished.is_none()) {
            let mut bodies = memory.bodies.into_iter();
            self.finished = Some(Finished {
                candidate: bodies.find(|body| body.hash == decision.hash),
                decision,
                signature: memory.own.signature,
                // Those of others are not stored.
                signatures: BTreeMap::new(),
                helped: now,
                answers: Answers::default(),
                helpers: BTreeSet::new(),
            });
        }
    }

    /// R26: puts back what was said and seen before the restart.
    fn resume(&mut self, height: &mut Height, memory: Memory) {
        height.round = memory.resume_round();
        for candidate in memory.bodies {
            height.stored_bodies.insert(candidate.hash);
            let bodies = &mut height.ballots.bodies;
            bodies.insert(
                self.config.me(),
                candidate,
                crate::bodies::Judgement::Unknown,
            );
        }
        for proof in memory.proofs {
            height.stored_proofs.insert((proof.round, proof.hash));
            height.ballots.proofs.insert(proof);
        }
        if let Some(over) = memory.over {
            height.ballots.keep_over(over);
        }
        if let Some(decision) = memory.decision {
            height.stored_decision = true;
            height.ballots.decision = Some(decision);
        }
        height.own = memory.own;
        height.step = Step::Waiting {
            start: UnixTime::from_millis(0),
        };
    }
}
