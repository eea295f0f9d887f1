//! The node's tip: it ends one height and begins the wait for the next.

use core::mem;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use federation_chain::UnixTime;

use crate::{
    Alarm, Event, HeightReport, Machine, Output, Record, Standing, Tip,
    replies::Replies,
    schedule,
    state::{Height, LastDecided, Recovered, Step},
    vote_keeper::VoteKeeper,
};

impl Machine {
    pub(crate) fn on_tip(&mut self, now: UnixTime, tip: Tip) {
        // R1: no work at or below a final height.
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
        let keeper = self.finish(now, tip);
        if worked_on.is_none() {
            self.observe_from(now);
        }
        self.start(now, since, tip, keeper);
    }

    /// R19: the node has the height's block. Returns what was received early for the height above
    /// the tip.
    fn finish(&mut self, now: UnixTime, tip: Tip) -> VoteKeeper {
        if let Some(mut rules) = self.rules(now) {
            rules.leave();
        }
        let next = mem::take(&mut self.next);
        let Some(height) = self.height.take() else {
            return next;
        };
        if height.number() != tip.height {
            return VoteKeeper::default();
        }
        let settled = height.keeper.settled(self.config.quorum());
        if settled.is_some_and(|hash| hash == tip.hash) && self.is_recent(height.tip, tip) {
            self.start_participating(tip);
        }
        self.report_height(now, tip, &height);
        self.keep_last_decided(now, tip, height);
        next
    }

    /// R29: whether a block was proposed after observing began, so that its height is above every
    /// one at which the earlier life voted. Clocks differ by up to the drift, and a block's time
    /// may be ahead of them by up to the drift, unless it is the lowest that its parent's median
    /// time allows.
    fn is_recent(&self, parent: Tip, block: Tip) -> bool {
        let Standing::Observing { since: Some(since) } = self.standing else {
            return false;
        };
        #[cfg(test)]
        if self.config.mutation == Some(crate::mutation::Mutation::TrustOldHeights) {
            return true;
        }
        let drift = self.config.max_drift();
        let by_the_clock = block.time.as_secs() > parent.median_time.as_secs() + 1;
        by_the_clock && block.time > since.saturating_add(drift).saturating_add(drift)
    }

    /// R29: observing begins with the first tip after each start, as the clock may have been wrong
    /// before.
    fn observe_from(&mut self, now: UnixTime) {
        if let Standing::Observing { since } = &mut self.standing {
            *since = Some(now);
            self.standing_is_new = true;
        }
    }

    /// R29: observing restarts when the clock is set, as when a machine has only just synchronised
    /// its time: by a clock that was wrong, no block is recent.
    pub(crate) fn restart_observing_if_clock_was_set(&mut self, before: UnixTime, now: UnixTime) {
        let Standing::Observing { since: Some(since) } = self.standing else {
            return;
        };
        let was_set = now < since || now > before.saturating_add(self.config.max_drift());
        if was_set && self.height.is_some() {
            self.standing = Standing::Observing { since: Some(now) };
            self.out.persist(Record::Standing(self.standing));
        }
    }

    /// R29: an observer has seen others settle a height at which it worked.
    fn start_participating(&mut self, tip: Tip) {
        if self.observing() {
            self.standing = Standing::Participating;
            self.out.persist(Record::Standing(self.standing));
            self.out.event(Event::Participating {
                from: tip.height.next(),
            });
        }
    }

    fn report_height(&mut self, now: UnixTime, tip: Tip, height: &Height) {
        let decision = height.keeper.decision.as_ref();
        if let Some(decided) = decision.map(|d| d.hash).filter(|hash| *hash != tip.hash) {
            self.out.alarm(Alarm::OtherThanDecided {
                height: tip.height,
                decided,
                tip: tip.hash,
            });
        }
        let started = height.timestamps.height;
        let since = |time: Option<UnixTime>| Some(time?.saturating_duration_since(started?));
        let round = decision.map(|decision| decision.round);
        let report = HeightReport {
            height: tip.height,
            hash: tip.hash,
            round,
            leader: round.map(|round| self.config.leader(tip.height, round)),
            signers: height.keeper.signatures(tip.hash).map(|s| s.0).collect(),
            until_decided: since(height.timestamps.decided),
            until_signed: since(height.timestamps.signed),
            until_submitted: since(height.timestamps.submitted),
            until_finished: since(Some(now)),
        };
        self.out.event(Event::HeightFinished(Box::new(report)));
    }

    /// R21: keeps what settles the height, for operators that missed it.
    fn keep_last_decided(&mut self, now: UnixTime, tip: Tip, mut height: Height) {
        let decision = height.keeper.decision.take();
        self.last_decided = decision
            .filter(|d| d.hash == tip.hash)
            .map(|decision| LastDecided {
                candidate: height.keeper.bodies.any(decision.hash).cloned(),
                signature: height.own.signature,
                signatures: height.keeper.compact_signatures(decision.hash),
                decision,
                last_help: now,
                // An operator that lacks the decided block may have used up its replies on other
                // blocks.
                replies: Replies::default(),
                helpers: BTreeSet::new(),
            });
    }

    /// R1, R2, R26: starts the height above the tip, with what the store holds about it.
    fn start(&mut self, now: UnixTime, since: UnixTime, tip: Tip, keeper: VoteKeeper) {
        if mem::take(&mut self.standing_is_new) {
            self.out.persist(Record::Standing(self.standing));
        }
        if self.last_final < Some(tip.height) {
            self.last_final = Some(tip.height);
            self.out.persist(Record::Final(tip.height));
            self.out.push(Output::Forget { below: tip.height });
        }
        debug_assert!(
            self.last_final == Some(tip.height),
            "R1: work at or below a final height"
        );
        let start = schedule::start(&tip, self.config.interval(), since);
        let mut height = Height::new(tip, start, keeper);
        let number = height.number();
        if let Some(last) = self.recovered.remove(&tip.height) {
            self.recover_last_decided(now, tip, last);
        }
        let recovered = self.recovered.remove(&number);
        self.recovered.retain(|height, _| *height > number);
        let resumes = recovered.is_some();
        if let Some(recovered) = recovered {
            self.resume(&mut height, recovered);
        }
        if !resumes && start > now {
            self.out.event(Event::HeightWaiting {
                height: number,
                start,
            });
        }
        self.height = Some(height);
        if resumes && let Some(mut rules) = self.rules(now) {
            rules.resume();
        }
    }

    fn recover_last_decided(&mut self, now: UnixTime, tip: Tip, recovered: Recovered) {
        let decision = recovered.decision.filter(|d| d.hash == tip.hash);
        if let Some(decision) = decision.filter(|_| self.last_decided.is_none()) {
            let mut bodies = recovered.bodies.into_iter();
            self.last_decided = Some(LastDecided {
                candidate: bodies.find(|body| body.hash == decision.hash),
                decision,
                signature: recovered.own.signature,
                // Other operators' signatures are not stored.
                signatures: BTreeMap::new(),
                last_help: now,
                replies: Replies::default(),
                helpers: BTreeSet::new(),
            });
        }
    }

    /// R26: restores what was sent and seen before the restart.
    fn resume(&mut self, height: &mut Height, recovered: Recovered) {
        height.round = recovered.resume_round();
        for candidate in recovered.bodies {
            height.stored_bodies.insert(candidate.hash);
            let bodies = &mut height.keeper.bodies;
            bodies.insert(
                self.config.me(),
                candidate,
                crate::bodies::Validity::Unknown,
            );
        }
        for proof in recovered.proofs {
            height.stored_proofs.insert((proof.round, proof.hash));
            height.keeper.proofs.insert(proof);
        }
        if let Some(certificate) = recovered.round_certificate {
            height.keeper.keep_round_certificate(certificate);
        }
        if let Some(decision) = recovered.decision {
            height.stored_decision = true;
            height.keeper.decision = Some(decision);
        }
        height.own = recovered.own;
        height.step = Step::Waiting {
            start: UnixTime::from_millis(0),
        };
    }
}
