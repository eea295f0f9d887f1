//! The event loop in virtual time.

use core::{fmt, time::Duration};
use std::{collections::BTreeMap, rc::Rc};

use federation_chain::{BlockHeight, UnixTime};
use federation_roster::OperatorId;

use crate::{
    Alarm, Candidate, CompactSignature, Config, Event, IdentitySignature, Input, Message, Output,
    Phase, SignedMessage, SubmitOutcome, Timeouts, Verdict,
};

use super::{
    chain::{GENESIS_SECS, digest},
    check::{Breach, Checker, Failure},
    network::{Frame, Partition},
    operator::Slot,
    rng::Rng,
    scenario::Scenario,
};

/// True time at the start of a run, in milliseconds since the epoch.
const START: u64 = GENESIS_SECS * 1000 + 60_000;

/// How long the calm may last before the run counts as stuck.
const CALM: u64 = 180_000;

/// Frames remembered for replays and lies.
const MEMORY: usize = 512;

/// What a run that broke nothing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Blocks on the longest honest chain.
    pub blocks: u32,
    /// The highest round any honest operator reached.
    pub highest_round: u32,
    /// The highest round of the heights that began in the calm.
    pub highest_calm_round: u32,
    /// Inputs handled by all machines.
    pub inputs: u64,
    /// Crashes of operators.
    pub crashes: u32,
    /// Pieces of evidence put out by honest operators.
    pub evidence: u32,
    /// Milliseconds of virtual time from the end of the storm to the goal.
    pub calm: u64,
}

/// Runs a scenario to its end.
///
/// # Errors
///
/// [`Failure`] if a property was broken.
pub fn run(scenario: &Scenario) -> Result<Summary, Failure> {
    World::new(scenario.clone()).run()
}

#[derive(Debug)]
pub(crate) enum Happening {
    Deliver {
        to: usize,
        frame: Rc<Frame>,
    },
    Feed {
        slot: usize,
        life: u32,
        input: Input,
    },
    Wake {
        slot: usize,
        life: u32,
    },
    Restart {
        slot: usize,
    },
    Relay {
        slot: usize,
        block: Candidate,
    },
    Sync {
        slot: usize,
    },
    Weather,
    Lie,
    Calm,
}

type Filter = Box<dyn FnMut(&Frame, OperatorId) -> bool>;
type Trace = Box<dyn FnMut(String)>;

/// A federation in virtual time.
pub struct World {
    pub(crate) scenario: Scenario,
    pub(crate) rng: Rng,
    pub(crate) now: u64,
    pub(crate) slots: Vec<Slot>,
    pub(crate) storm: bool,
    /// Recent frames, for replays and lies.
    pub(crate) recent: Vec<Rc<Frame>>,
    /// Recent blocks, for lies.
    pub(crate) blocks: Vec<Candidate>,
    sequence: u64,
    happenings: BTreeMap<(u64, u64), Happening>,
    sides: Partition,
    split: bool,
    /// Which kinds of messages a slot does not hear from another one, as bits.
    deaf: Vec<Vec<u32>>,
    checker: Checker,
    filter: Option<Filter>,
    trace: Option<Trace>,
    summary: Summary,
    calm_since: u64,
    goal: BlockHeight,
    forgot: bool,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("scenario", &self.scenario)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl World {
    /// A federation at its start.
    ///
    /// # Panics
    ///
    /// If the scenario's size and threshold make no federation.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Self::with_config(scenario, |config| config)
    }

    /// A federation at its start, whose machines' parameters are changed by `change`.
    ///
    /// # Panics
    ///
    /// If the scenario's size and threshold make no federation.
    #[must_use]
    pub fn with_config(scenario: Scenario, change: impl Fn(Config) -> Config) -> Self {
        let mut rng = Rng::new(scenario.seed);
        // Leaders are by number, so liars and dead ones must not always have the same ones.
        let mut order: Vec<usize> = (0..scenario.size).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, rng.index(i + 1));
        }
        let mut slots = Vec::new();
        for (place, number) in order.into_iter().enumerate() {
            let id = OperatorId::new(u8::try_from(number).expect("a federation is small"));
            let config = Config::new(scenario.size, scenario.threshold, id, scenario.interval);
            let config = config.expect("the scenario makes a federation");
            let config = change(if scenario.hasty {
                hasty(config)
            } else {
                config
            });
            let lies = place < scenario.liars;
            let mut slot = Slot::new(id, !lies, config);
            if lies {
                slots.push(Slot::new(slot.id, false, slot.config.clone()));
            }
            slot.dead = (scenario.liars..scenario.liars + scenario.dead).contains(&place);
            slots.push(slot);
        }
        let count = slots.len();
        let sides = Partition::whole(count);
        Self {
            checker: Checker::new(&scenario),
            scenario,
            rng,
            now: 0,
            slots,
            storm: true,
            recent: Vec::new(),
            blocks: Vec::new(),
            sequence: 0,
            happenings: BTreeMap::new(),
            sides,
            split: false,
            deaf: vec![vec![0; count]; count],
            filter: None,
            trace: None,
            summary: Summary::default(),
            calm_since: 0,
            goal: BlockHeight::GENESIS,
            forgot: false,
        }
    }

    /// Delivers only the frames for which `filter` says true, given the receiver.
    pub fn set_filter(&mut self, filter: impl FnMut(&Frame, OperatorId) -> bool + 'static) {
        self.filter = Some(Box::new(filter));
    }

    /// Hands a line for everything that happens to `trace`.
    pub fn set_trace(&mut self, trace: impl FnMut(String) + 'static) {
        self.trace = Some(Box::new(trace));
    }

    /// Runs to the end of the calm.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a property was broken.
    pub fn run(&mut self) -> Result<Summary, Failure> {
        self.begin();
        loop {
            let Some(((at, _), happening)) = self.happenings.pop_first() else {
                return Err(self.failure(self.stuck()));
            };
            self.now = at;
            if let Err(breach) = self.happen(happening) {
                return Err(self.failure(breach));
            }
            if !self.storm && self.reached() {
                return self.finish().map_err(|breach| self.failure(breach));
            }
            if !self.storm && self.now > self.calm_since + CALM {
                if self.scenario.must_progress() {
                    return Err(self.failure(self.stuck()));
                }
                return self.finish().map_err(|breach| self.failure(breach));
            }
        }
    }

    fn begin(&mut self) {
        for slot in 0..self.slots.len() {
            // Twins start on different sides; in the calm only the first is heard.
            let twin = slot > 0 && self.slots[slot - 1].id == self.slots[slot].id;
            self.sides.set(slot, u8::from(twin));
            let at = self.rng.below(300);
            self.later(at, Happening::Restart { slot });
            let at = self.rng.below(500);
            self.later(at, Happening::Sync { slot });
        }
        self.later(0, Happening::Weather);
        if self.scenario.liars > 0 {
            self.later(50, Happening::Lie);
        }
        let storm = u64::try_from(self.scenario.storm.as_millis()).unwrap_or(u64::MAX);
        self.later(storm, Happening::Calm);
    }

    fn failure(&self, breach: Breach) -> Failure {
        Failure {
            seed: self.scenario.seed,
            at: self.now,
            breach,
        }
    }

    fn living(&self) -> impl Iterator<Item = &Slot> + '_ {
        self.slots.iter().filter(|slot| slot.honest && !slot.dead)
    }

    fn stuck(&self) -> Breach {
        let round = |slot: &Slot| slot.machine.as_ref().map(|m| m.status().round.to_u32());
        Breach::Stuck {
            heights: self.living().map(|s| s.node.height().to_u32()).collect(),
            rounds: self.living().filter_map(round).collect(),
        }
    }

    fn reached(&self) -> bool {
        self.living().all(|slot| slot.node.height() >= self.goal)
    }

    fn finish(&mut self) -> Result<Summary, Breach> {
        let heights = self.living().map(|slot| slot.node.height().to_u32());
        self.summary.blocks = heights.max().unwrap_or(0);
        self.summary.calm = self.now - self.calm_since;
        Ok(self.summary)
    }

    pub(crate) fn later(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings
            .insert((self.now + delay, self.sequence), happening);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace(format!("{:>8} {}", self.now, line()));
        }
    }

    fn true_time(&self) -> u64 {
        START + self.now
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Breach> {
        match happening {
            Happening::Deliver { to, frame } => self.receive(to, &frame),
            Happening::Feed { slot, life, input } => {
                if self.slots[slot].life == life {
                    self.step(slot, input)?;
                }
                Ok(())
            }
            Happening::Wake { slot, life } => {
                if self.slots[slot].life == life {
                    self.slots[slot].wake = None;
                    self.step(slot, Input::Tick)?;
                }
                Ok(())
            }
            Happening::Restart { slot } => self.restart(slot),
            Happening::Relay { slot, block } => self.relay(slot, &block),
            Happening::Sync { slot } => self.sync(slot),
            Happening::Weather => self.weather(),
            Happening::Lie => {
                self.lie();
                let pause = self.rng.between(20, if self.storm { 150 } else { 600 });
                self.later(pause, Happening::Lie);
                Ok(())
            }
            Happening::Calm => self.calm(),
        }
    }

    fn calm(&mut self) -> Result<(), Breach> {
        self.note(|| "-- calm".to_owned());
        self.storm = false;
        self.split = false;
        self.calm_since = self.now;
        let highest = self.living().map(|slot| slot.node.height().to_u32()).max();
        self.goal = BlockHeight::new(highest.unwrap_or(0) + self.scenario.goal);
        for slot in 0..self.slots.len() {
            if self.slots[slot].honest {
                self.sides.set(slot, 0);
            }
            if self.slots[slot].machine.is_none() {
                self.restart(slot)?;
            }
        }
        Ok(())
    }

    /// Now and then in the storm: partitions, clocks, a lost memory.
    fn weather(&mut self) -> Result<(), Breach> {
        if !self.storm {
            return Ok(());
        }
        self.split = self.scenario.partitions && self.rng.chance(600);
        for slot in 0..self.slots.len() {
            for from in 0..self.slots.len() {
                self.deaf[slot][from] = self.kinds_unheard();
            }
            let side = u8::from(self.rng.chance(500));
            if self.slots[slot].honest {
                self.sides.set(slot, side);
            }
            if self.scenario.skew > 0 && self.rng.chance(300) {
                let skew = self.rng.below(2 * self.scenario.skew).cast_signed();
                self.slots[slot].skew = skew - self.scenario.skew.cast_signed();
                self.step(slot, Input::Tick)?;
            }
        }
        if self.scenario.amnesia && !self.forgot && self.now > 0 && self.rng.chance(300) {
            let slot = self.rng.index(self.slots.len());
            if self.slots[slot].honest && !self.slots[slot].dead {
                self.forgot = true;
                self.note(|| format!("slot {slot} loses its memory"));
                self.slots[slot].store.clear();
                self.slots[slot].guard.clear();
                self.slots[slot].amnesic = true;
                self.crash(slot);
            }
        }
        let longest = if self.scenario.hasty { 300 } else { 1000 };
        let pause = self.rng.between(50, longest);
        self.later(pause, Happening::Weather);
        Ok(())
    }

    fn kinds_unheard(&mut self) -> u32 {
        let Scenario { deaf, secrets, .. } = self.scenario;
        let mut kinds = 0;
        for kind in 1..=8 {
            let vote = (3..=6).contains(&kind);
            if self.rng.chance(if vote { deaf.max(secrets) } else { deaf }) {
                kinds |= 1 << kind;
            }
        }
        kinds
    }

    // Operators.

    fn restart(&mut self, slot: usize) -> Result<(), Breach> {
        if self.slots[slot].machine.is_some() || self.slots[slot].dead {
            return Ok(());
        }
        self.slots[slot].start();
        let id = self.slots[slot].id;
        self.note(|| format!("operator {id} (slot {slot}) starts"));
        let tip = self.slots[slot].node.tip();
        self.step(slot, Input::Tip(tip))
    }

    fn crash(&mut self, slot: usize) {
        if self.slots[slot].machine.take().is_none() {
            return;
        }
        self.slots[slot].life += 1;
        self.summary.crashes += 1;
        let id = self.slots[slot].id;
        self.note(|| format!("operator {id} (slot {slot}) crashes"));
        let longest = if self.scenario.hasty { 100 } else { 1500 };
        let pause = self.rng.between(10, longest);
        self.later(pause, Happening::Restart { slot });
    }

    fn receive(&mut self, to: usize, frame: &Rc<Frame>) -> Result<(), Breach> {
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
        self.step(to, input)
    }

    /// One input, and all that follows: the batch of outputs, in which the operator may crash at
    /// any border.
    fn step(&mut self, slot: usize, input: Input) -> Result<(), Breach> {
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
            self.crash(slot);
            return Ok(());
        }
        let mut outputs = batch.into_iter();
        if records > 0 {
            if self.storm && self.rng.chance(self.scenario.store_failures) {
                return self.fail_store(slot, clock);
            }
            for output in outputs.by_ref().take(records) {
                if let Output::Persist(record) = output {
                    self.slots[slot].persist(&record);
                }
            }
        }
        for (index, output) in outputs.enumerate() {
            if crash == Some(index + 1) {
                self.crash(slot);
                return Ok(());
            }
            self.act(slot, output)?;
        }
        self.schedule_wake(slot, clock)
    }

    /// Before which output the operator crashes, if it does: 0 is before anything was stored.
    fn crash_border(&mut self, slot: usize, outputs: usize) -> Option<usize> {
        let honest = self.slots[slot].honest;
        if !self.storm || !honest || outputs == 0 || self.scenario.crashes == 0 {
            return None;
        }
        (0..=outputs).find(|_| self.rng.chance(self.scenario.crashes))
    }

    fn fail_store(&mut self, slot: usize, clock: UnixTime) -> Result<(), Breach> {
        let operator = self.slots[slot].id;
        if let Some(machine) = &mut self.slots[slot].machine {
            machine.handle(clock, Input::StoreFailed);
            let said = [machine.poll_output(), machine.poll_output()];
            let alarm = Some(Output::Event(Event::Alarm(Alarm::Halted)));
            if said != [alarm, None] || machine.status().phase != Phase::Halted {
                return Err(Breach::FalseAlarm {
                    operator,
                    alarm: format!("after a failure of the store: {said:?}"),
                });
            }
        }
        self.crash(slot);
        Ok(())
    }

    fn schedule_wake(&mut self, slot: usize, clock: UnixTime) -> Result<(), Breach> {
        let now = self.true_time();
        let state = &mut self.slots[slot];
        let Some(at) = state.machine.as_ref().and_then(|m| m.poll_timeout()) else {
            return Ok(());
        };
        if at <= clock {
            return Err(Breach::Spins { operator: state.id });
        }
        let at = at
            .as_millis()
            .saturating_add_signed(-state.skew)
            .max(now + 1);
        if state.wake.is_none_or(|wake| at < wake) {
            state.wake = Some(at);
            let life = state.life;
            self.later(at - now, Happening::Wake { slot, life });
        }
        Ok(())
    }

    fn feed(&mut self, slot: usize, delay: u64, input: Input) {
        let life = self.slots[slot].life;
        self.later(delay, Happening::Feed { slot, life, input });
    }

    fn act(&mut self, slot: usize, output: Output) -> Result<(), Breach> {
        let (id, honest) = (self.slots[slot].id, self.slots[slot].honest);
        match output {
            Output::Persist(record) => {
                // Only the head of a batch may hold records: the driver relies on it.
                return Err(Breach::FalseAlarm {
                    operator: id,
                    alarm: format!("record after other outputs: {record:?}"),
                });
            }
            Output::Forget { below } => self.slots[slot].forget(below),
            Output::Send(message) => self.send(slot, message)?,
            Output::RequestTemplate { height, round } => {
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
                    match self.slots[slot].node.check(&candidate) {
                        Ok(()) => Verdict::Valid,
                        Err(reason) => Verdict::Invalid(reason.to_owned()),
                    }
                };
                let delay = self.node_delay();
                let input = Input::Tested {
                    height: candidate.height,
                    hash: candidate.hash,
                    verdict,
                };
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
                self.note(|| format!("operator {id} has evidence against {operator}"));
                if honest {
                    self.summary.evidence += 1;
                }
                if !lies && honest {
                    return Err(Breach::HonestAccused { operator });
                }
            }
            Output::Event(event) => self.event(slot, event)?,
        }
        Ok(())
    }

    fn event(&mut self, slot: usize, event: Event) -> Result<(), Breach> {
        let operator = self.slots[slot].id;
        self.note(|| format!("operator {operator} (slot {slot}): {event:?}"));
        if !self.slots[slot].honest {
            return Ok(());
        }
        match event {
            Event::Decided { height, hash, .. } => self.checker.decided(height, hash),
            Event::RoundStarted { height, round, .. } => {
                let round = round.to_u32();
                self.summary.highest_round = self.summary.highest_round.max(round);
                let fresh =
                    !self.storm && height.to_u32() + self.scenario.goal > self.goal.to_u32() + 1;
                if fresh {
                    let highest = &mut self.summary.highest_calm_round;
                    *highest = round.max(*highest);
                    let size = u32::try_from(self.scenario.size).unwrap_or(u32::MAX);
                    if self.scenario.must_progress() && round > 4 * size {
                        return Err(Breach::TooManyRounds {
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
            ) if !self.scenario.only_forks => Err(Breach::FalseAlarm {
                operator,
                alarm: format!("{alarm:?}"),
            }),
            _ => Ok(()),
        }
    }

    // The node, the guard and the signer.

    fn node_fails(&mut self) -> bool {
        self.storm && self.rng.chance(self.scenario.node_failures)
    }

    fn node_delay(&mut self) -> u64 {
        let slowest = if self.storm {
            self.scenario.slow_node
        } else {
            20
        };
        self.rng.between(1, slowest.max(1))
    }

    pub(crate) fn remember_block(&mut self, candidate: &Candidate) {
        if self.blocks.len() >= 64 {
            self.blocks.remove(0);
        }
        self.blocks.push(candidate.clone());
    }

    fn sign(&mut self, slot: usize, candidate: &Candidate) -> Result<(), Breach> {
        let (height, hash) = (candidate.height, candidate.hash);
        let state = &mut self.slots[slot];
        let operator = state.id;
        let phase = state.machine.as_ref().map(|m| m.status().phase);
        if state.honest && phase != Some(Phase::Decided) && !self.scenario.only_forks {
            return Err(Breach::SignedUndecided { operator, height });
        }
        let input = match state.guard(height, hash) {
            Ok(()) => {
                if state.honest {
                    self.checker.signed(operator, height, hash)?;
                }
                Input::Signed {
                    height,
                    hash,
                    signature: CompactSignature::from_bytes(wide(digest(&[
                        operator.to_u8(),
                        hash.as_bytes()[0],
                    ]))),
                }
            }
            Err(reason) => Input::SignRefused {
                height,
                hash,
                reason,
            },
        };
        let delay = self.rng.between(1, 5);
        self.feed(slot, delay, input);
        Ok(())
    }

    fn submit(&mut self, slot: usize, block: Candidate, enough: bool) -> Result<(), Breach> {
        let (height, hash) = (block.height, block.hash);
        let fails = self.node_fails();
        let node = &self.slots[slot].node;
        let outcome = if fails {
            SubmitOutcome::Unavailable
        } else if !enough {
            SubmitOutcome::Rejected("not enough signatures".to_owned())
        } else if node.chain.iter().any(|b| b.hash == hash) {
            SubmitOutcome::Accepted
        } else {
            match node.check(&block) {
                Ok(()) => {
                    self.accept(slot, block)?;
                    SubmitOutcome::Accepted
                }
                Err(reason) => SubmitOutcome::Rejected(reason.to_owned()),
            }
        };
        let delay = self.node_delay();
        let input = Input::Submitted {
            height,
            hash,
            outcome,
        };
        self.feed(slot, delay, input);
        Ok(())
    }

    /// A node takes a block, tells its operator, and passes it on.
    fn accept(&mut self, slot: usize, block: Candidate) -> Result<(), Breach> {
        let id = self.slots[slot].id;
        self.note(|| {
            let Candidate { height, hash, .. } = &block;
            format!("node of operator {id} (slot {slot}) has block {height} {hash}")
        });
        if self.slots[slot].honest {
            self.checker.accepted(block.height, block.hash)?;
        }
        self.slots[slot].node.chain.push(block.clone());
        let tip = self.slots[slot].node.tip();
        let delay = self.node_delay();
        self.feed(slot, delay, Input::Tip(tip));
        for other in 0..self.slots.len() {
            if other != slot && self.relays() && self.audible(slot, other) {
                let delay = self.frame_delay();
                let block = block.clone();
                self.later(delay, Happening::Relay { slot: other, block });
            }
        }
        Ok(())
    }

    const fn relays(&self) -> bool {
        self.scenario.relay || !self.storm
    }

    fn relay(&mut self, slot: usize, block: &Candidate) -> Result<(), Breach> {
        if self.slots[slot].node.check(block).is_ok() {
            self.accept(slot, block.clone())?;
        }
        Ok(())
    }

    /// A node that is behind fetches what it lacks from a random other.
    fn sync(&mut self, slot: usize) -> Result<(), Breach> {
        let pause = self.rng.between(300, 700);
        self.later(pause, Happening::Sync { slot });
        let other = self.rng.index(self.slots.len());
        if !self.relays() || !self.audible(slot, other) {
            return Ok(());
        }
        let have = self.slots[slot].node.chain.len();
        let missing = self.slots[other].node.chain.iter().skip(have);
        let missing: Vec<Candidate> = missing.cloned().collect();
        for block in missing {
            self.relay(slot, &block)?;
        }
        Ok(())
    }

    // The network.

    /// Honest operators hear each other unless the network is split; a twin is heard on its side.
    fn audible(&self, a: usize, b: usize) -> bool {
        let honest = self.slots[a].honest && self.slots[b].honest;
        (honest && !self.split) || self.sides.connected(a, b)
    }

    fn frame_delay(&mut self) -> u64 {
        let longest = if self.storm { self.scenario.delay } else { 20 };
        self.rng.between(1, longest.max(1))
    }

    fn send(&mut self, slot: usize, message: Message) -> Result<(), Breach> {
        let sender = self.slots[slot].id;
        let parts = message.to_parts();
        let again = Message::from_parts(parts.clone());
        if again.as_ref() != Ok(&message) {
            return Err(Breach::FalseAlarm {
                operator: sender,
                alarm: format!("message does not survive its encoding: {message:?}"),
            });
        }
        self.note(|| format!("operator {sender} (slot {slot}) sends {message:?}"));
        let frame = Rc::new(Frame::new(signed(sender, message)));
        if !matches!(frame.signed.message, Message::Body(_)) {
            self.feed(slot, 0, Input::Received(frame.signed.clone()));
        }
        self.spread(slot, &frame, 1000);
        Ok(())
    }

    /// Puts a frame on its way to everybody who hears the slot, each with this chance.
    pub(crate) fn spread(&mut self, slot: usize, frame: &Rc<Frame>, permille: u64) {
        self.remember_frame(frame);
        for to in 0..self.slots.len() {
            if to == slot || !self.audible(slot, to) || !self.rng.chance(permille) {
                continue;
            }
            let receiver = self.slots[to].id;
            if let Some(filter) = &mut self.filter
                && !filter(frame, receiver)
            {
                continue;
            }
            let deaf = self.deaf[to][slot] & (1 << frame.signed.message.kind()) != 0;
            if self.storm && (deaf || self.rng.chance(self.scenario.loss)) {
                continue;
            }
            self.dispatch(to, frame);
            if self.storm && self.rng.chance(self.scenario.duplicates) {
                self.dispatch(to, frame);
            }
        }
        if self.storm && self.rng.chance(self.scenario.replays) {
            let old = self.recent[self.rng.index(self.recent.len())].clone();
            let to = self.rng.index(self.slots.len());
            self.dispatch(to, &old);
        }
    }

    fn dispatch(&mut self, to: usize, frame: &Rc<Frame>) {
        let delay = self.frame_delay();
        let frame = Rc::clone(frame);
        self.later(delay, Happening::Deliver { to, frame });
    }

    fn remember_frame(&mut self, frame: &Rc<Frame>) {
        if self.recent.len() < MEMORY {
            self.recent.push(Rc::clone(frame));
        } else {
            let place = self.rng.index(MEMORY);
            self.recent[place] = Rc::clone(frame);
        }
    }
}

fn hasty(config: Config) -> Config {
    let millis = Duration::from_millis;
    config.with_beat(millis(3000)).with_timeouts(Timeouts {
        propose: millis(120),
        prevote: millis(50),
        precommit: millis(50),
        growth: millis(20),
        limit: millis(3000),
    })
}

fn wide(half: [u8; 32]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&half);
    bytes[32..].copy_from_slice(&half);
    bytes
}

/// A message with the simulation's stand-in for a signature.
pub(crate) fn signed(sender: OperatorId, message: Message) -> SignedMessage {
    let parts = message.to_parts();
    let mut content = vec![sender.to_u8(), parts.kind];
    content.extend(parts.height.to_u32().to_le_bytes());
    content.extend(parts.round.to_u32().to_le_bytes());
    content.extend(&parts.payload[..parts.payload.len().min(64)]);
    SignedMessage {
        sender,
        message,
        signature: IdentitySignature::from_bytes(wide(digest(&content))),
    }
}
