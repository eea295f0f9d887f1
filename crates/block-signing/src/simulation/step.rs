//! The driver of one operator: inputs to its machine, outputs from it, and crashes between them.

use std::rc::Rc;

use federation_chain::{BlockHeight, UnixTime};

use crate::{Alarm, Event, Input, Message, Output, Phase, Verdict};

use super::{
    check::Violation,
    coverage::CoveragePoint,
    network::Frame,
    world::{SimEvent, World},
};

impl World {
    pub(super) fn restart(&mut self, slot: usize) -> Result<(), Violation> {
        if self.slots[slot].machine.is_some() || self.slots[slot].dead {
            return Ok(());
        }
        self.slots[slot].start();
        let id = self.slots[slot].id;
        self.trace_line(|| format!("operator {id} (slot {slot}) starts"));
        let tip = self.slots[slot].node.tip();
        self.step(slot, Input::Tip(tip))?;
        self.replay_decision(slot);
        Ok(())
    }

    /// Delivers to an observer the decision of the height that it works at, however old.
    pub(super) fn replay_decision(&mut self, slot: usize) {
        let state = &self.slots[slot];
        let machine = state.machine.as_ref();
        if !machine.is_some_and(|machine| machine.status().observing) {
            return;
        }
        let next = state.node.height().next();
        if let Some(frame) = self.decisions.get(&next).cloned() {
            self.cover(CoveragePoint::OldDecision);
            let delay = self.frame_delay();
            self.schedule(delay, SimEvent::Deliver { to: slot, frame });
        }
    }

    pub(super) fn crash(&mut self, slot: usize) {
        if self.slots[slot].machine.take().is_none() {
            return;
        }
        self.slots[slot].life += 1;
        self.uplinks[slot].clear();
        self.summary.crashes += 1;
        self.cover(CoveragePoint::Crash);
        let id = self.slots[slot].id;
        self.trace_line(|| format!("operator {id} (slot {slot}) crashes"));
        if self.faults_active && self.rng.chance(self.scenario.rollbacks) {
            self.roll_back(slot);
        }
        let longest = if self.scenario.fast_timeouts {
            100
        } else {
            1500
        };
        let pause = self.rng.between(10, longest);
        self.schedule(pause, SimEvent::Restart { slot });
    }

    /// Rolls the node back by its last blocks. Some honest operator keeps them: blocks that all
    /// lose are lost for good.
    fn roll_back(&mut self, slot: usize) {
        let height = self.slots[slot].node.height();
        let others = self.slots.iter().enumerate();
        let kept = others
            .filter(|(other, state)| *other != slot && state.honest && !state.dead)
            .any(|(_, state)| state.node.height() >= height);
        if kept && self.slots[slot].honest && height > BlockHeight::GENESIS {
            self.cover(CoveragePoint::Rollback);
            let blocks = self.rng.between(1, 3);
            let blocks = usize::try_from(blocks).unwrap_or(1);
            self.slots[slot].node.roll_back(blocks);
        }
    }

    pub(super) fn receive(&mut self, to: usize, frame: &Rc<Frame>) -> Result<(), Violation> {
        let input = match &frame.signed.message {
            Message::Body(body) => {
                let Some(candidate) = &frame.candidate else {
                    return Ok(());
                };
                if candidate.hash != body.hash || candidate.height != body.height {
                    return Ok(());
                }
                Input::Body {
                    from: frame.signed.sender,
                    candidate: candidate.clone(),
                }
            }
            _ => Input::Received(frame.signed.clone()),
        };
        let round = |world: &Self| {
            let machine = world.slots[to].machine.as_ref();
            machine.map(|machine| machine.status().round)
        };
        let before = round(self);
        self.step(to, input)?;
        let over = matches!(frame.signed.message, Message::RoundCertificate(_));
        if over && before.is_some() && round(self) > before {
            self.cover(CoveragePoint::RoundCertificateFollowed);
        }
        Ok(())
    }

    /// Handles one input and the resulting batch of outputs, in which the operator may crash
    /// between any two.
    pub(super) fn step(&mut self, slot: usize, input: Input) -> Result<(), Violation> {
        let clock = self.slots[slot].clock(self.true_time());
        let Some(machine) = &mut self.slots[slot].machine else {
            return Ok(());
        };
        self.summary.inputs += 1;
        machine.handle(clock, input);
        let mut batch = Vec::new();
        while let Some(output) = machine.poll_output() {
            batch.push(output);
        }
        let records = batch
            .iter()
            .take_while(|output| matches!(output, Output::Persist(_)))
            .count();
        let crash = self.crash_border(slot, batch.len() - records);
        if crash == Some(0) {
            if records > 0 {
                self.cover(CoveragePoint::CrashBeforeStore);
            }
            self.crash(slot);
            return Ok(());
        }
        let mut outputs = batch.into_iter();
        if records > 0 {
            if self.faults_active && self.rng.chance(self.scenario.store_failures) {
                self.cover(CoveragePoint::StoreFailure);
                return self.fail_store(slot, clock);
            }
            for output in outputs.by_ref().take(records) {
                if let Output::Persist(record) = output {
                    self.slots[slot].persist(&record);
                    self.check_refused_lock(&record);
                }
            }
        }
        for (index, output) in outputs.enumerate() {
            if crash == Some(index + 1) {
                if records > 0 {
                    self.cover(CoveragePoint::CrashAfterStore);
                }
                self.crash(slot);
                return Ok(());
            }
            self.act(slot, output)?;
        }
        if records > 0 {
            self.check_store(slot)?;
        }
        self.flip(slot);
        self.schedule_wake(slot, clock)
    }

    /// Returns the output before which the operator crashes, if it does: 0 is before anything was
    /// stored.
    fn crash_border(&mut self, slot: usize, outputs: usize) -> Option<usize> {
        let honest = self.slots[slot].honest;
        if !self.faults_active || !honest || outputs == 0 || self.scenario.crashes == 0 {
            return None;
        }
        (0..=outputs).find(|_| self.rng.chance(self.scenario.crashes))
    }

    fn fail_store(&mut self, slot: usize, clock: UnixTime) -> Result<(), Violation> {
        let operator = self.slots[slot].id;
        if let Some(machine) = &mut self.slots[slot].machine {
            machine.handle(clock, Input::StoreFailed);
            let outputs = [machine.poll_output(), machine.poll_output()];
            let alarm = Some(Output::Event(Event::Alarm(Alarm::Halted)));
            if outputs != [alarm, None] || machine.status().phase != Phase::Halted {
                return Err(Violation::FalseAlarm {
                    operator,
                    alarm: format!("outputs after a store failure: {outputs:?}"),
                });
            }
        }
        self.crash(slot);
        Ok(())
    }

    fn schedule_wake(&mut self, slot: usize, clock: UnixTime) -> Result<(), Violation> {
        let now = self.true_time();
        let state = &mut self.slots[slot];
        let Some(at) = state.machine.as_ref().and_then(|m| m.poll_timeout()) else {
            return Ok(());
        };
        if at <= clock {
            return Err(Violation::Spins { operator: state.id });
        }
        let at = at
            .as_millis()
            .saturating_add_signed(-state.skew)
            .max(now + 1);
        if state.wake.is_none_or(|wake| at < wake) {
            state.wake = Some(at);
            let life = state.life;
            self.schedule(at - now, SimEvent::Wake { slot, life });
        }
        Ok(())
    }

    pub(super) fn feed(&mut self, slot: usize, delay: u64, input: Input) {
        let life = self.slots[slot].life;
        self.schedule(delay, SimEvent::Feed { slot, life, input });
    }

    fn act(&mut self, slot: usize, output: Output) -> Result<(), Violation> {
        let (id, honest) = (self.slots[slot].id, self.slots[slot].honest);
        match output {
            Output::Persist(record) => {
                // Only the start of a batch may hold records: the driver relies on it.
                return Err(Violation::FalseAlarm {
                    operator: id,
                    alarm: format!("record after other outputs: {record:?}"),
                });
            }
            Output::Forget { below } => self.slots[slot].forget(below),
            Output::ForgetRecords { keys } => self.slots[slot].forget_records(&keys),
            Output::Send(message) => self.send(slot, message, None)?,
            Output::SendTo { to, message } => {
                self.check_reply(slot, to, message.height())?;
                self.send(slot, message, Some(to))?;
            }
            Output::RequestTemplate { height, round } => {
                if honest && self.leaves_out(slot) {
                    self.cover(CoveragePoint::FreshBlock);
                }
                let clock = self.slots[slot].clock(self.true_time());
                let candidate = self.slots[slot].node.template(clock, self.rng.next());
                let fits = candidate.height == height && !self.node_fails();
                let input = if fits {
                    self.remember_block(&candidate);
                    Input::Template {
                        height,
                        round,
                        candidate,
                    }
                } else {
                    Input::TemplateFailed { height, round }
                };
                let delay = self.node_delay();
                self.feed(slot, delay, input);
            }
            Output::TestBlock { candidate } => {
                let verdict = if self.node_fails() {
                    Verdict::Unavailable
                } else {
                    match self.check_proposal(slot, &candidate) {
                        Ok(()) => Verdict::Valid,
                        Err(reason) => Verdict::Invalid(reason.to_owned()),
                    }
                };
                let delay = self.node_delay();
                let input = Input::Tested { candidate, verdict };
                self.feed(slot, delay, input);
            }
            Output::SignBlock { candidate } => self.sign(slot, &candidate)?,
            Output::Submit {
                candidate,
                signatures,
            } => {
                let enough = signatures.len() >= self.scenario.threshold;
                self.submit(slot, candidate, enough)?;
            }
            Output::Evidence(evidence) => {
                let operator = evidence.first.sender;
                let lies = self.slots.iter().any(|s| s.id == operator && !s.honest);
                self.trace_line(|| format!("operator {id} has evidence against {operator}"));
                if honest {
                    self.summary.evidence += 1;
                    self.cover(CoveragePoint::AccusationChecked);
                }
                if !lies && honest {
                    return Err(Violation::HonestAccused { operator });
                }
            }
            Output::Event(event) => self.event(slot, event)?,
        }
        Ok(())
    }

    fn event(&mut self, slot: usize, event: Event) -> Result<(), Violation> {
        let operator = self.slots[slot].id;
        self.trace_line(|| format!("operator {operator} (slot {slot}): {event:?}"));
        if !self.slots[slot].honest {
            let detected = matches!(event, Event::Alarm(Alarm::OwnMessageFromElsewhere { .. }));
            if detected && self.is_duplicate(slot) {
                // R24: the driver stops, and no later start continues.
                self.cover(CoveragePoint::DuplicateDetected);
                self.slots[slot].dead = true;
                self.slots[slot].machine = None;
                self.slots[slot].life += 1;
            }
            return Ok(());
        }
        match event {
            Event::Participating { .. } => {
                self.cover(CoveragePoint::ObserverRejoined);
                Ok(())
            }
            Event::Decided { height, hash, .. } => {
                self.cover(CoveragePoint::DecisionChecked);
                self.accept_again(hash);
                self.checker.decided(height, hash)
            }
            Event::RoundStarted { height, round, .. } => {
                let round = round.to_u32();
                if round > self.slots[slot].config.limits().rounds_behind + 2 {
                    self.cover(CoveragePoint::LongHeight);
                }
                self.summary.highest_round = self.summary.highest_round.max(round);
                let fresh = !self.faults_active
                    && height.to_u32() + self.scenario.goal > self.goal.to_u32() + 1;
                if fresh {
                    let highest = &mut self.summary.highest_quiescent_round;
                    *highest = round.max(*highest);
                    let size = u32::try_from(self.scenario.size).unwrap_or(u32::MAX);
                    if self.scenario.must_progress() && round > 4 * size {
                        return Err(Violation::TooManyRounds {
                            height,
                            rounds: round,
                        });
                    }
                }
                Ok(())
            }
            Event::Alarm(
                alarm @ (Alarm::OwnMessageFromElsewhere { .. }
                | Alarm::TipReplaced { .. }
                | Alarm::OtherThanDecided { .. }
                | Alarm::TwoDecisions { .. }
                | Alarm::SignRefused { .. }),
            ) if !self.scenario.only_forks => Err(Violation::FalseAlarm {
                operator,
                alarm: format!("{alarm:?}"),
            }),
            _ => Ok(()),
        }
    }
}
