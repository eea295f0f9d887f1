//! The event loop in virtual time.

use core::{fmt, time::Duration};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use federation_chain::{BlockHash, BlockHeight};
use federation_roster::OperatorId;

use crate::{
    Candidate, Config, IdentitySignature, Input, Limits, Message, SignedMessage, Timeouts,
};

use super::{
    chain::{GENESIS_SECS, digest},
    check::{Checker, Failure, Violation},
    coverage::{Coverage, CoveragePoint},
    network::{Frame, Partition},
    operator::Slot,
    requests::Allowance,
    rng::Rng,
    scenario::Scenario,
    uplink::Uplink,
};

/// True time at the start of a run, in milliseconds since the epoch.
const START: u64 = GENESIS_SECS * 1000 + 60_000;

/// The longest quiescent phase, in milliseconds, before the run counts as stuck.
const MAX_QUIESCENT: u64 = 180_000;

/// How many frames are remembered for replays and lies.
pub(super) const MAX_RECENT: usize = 512;

/// The results of a run without a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Blocks on the longest honest chain.
    pub blocks: u32,
    /// The highest round that any honest operator reached.
    pub highest_round: u32,
    /// The highest round of the heights begun in the quiescent phase.
    pub highest_quiescent_round: u32,
    /// Inputs handled by all machines.
    pub inputs: u64,
    /// Crashes of operators.
    pub crashes: u32,
    /// What was covered.
    pub coverage: Coverage,
    /// Pieces of evidence reported by honest operators.
    pub evidence: u32,
    /// Bodies sent, counted once per receiver.
    pub bodies: u64,
    /// Milliseconds of virtual time from the end of the fault phase to the goal.
    pub quiescent: u64,
}

/// Runs a scenario to its end.
///
/// # Errors
///
/// [`Failure`] if a property did not hold.
pub fn run(scenario: &Scenario) -> Result<Summary, Failure> {
    World::new(scenario.clone()).run()
}

#[derive(Debug)]
pub(super) enum SimEvent {
    Deliver {
        to: usize,
        frame: Rc<Frame>,
    },
    /// A body has left the uplink of a slot.
    Sent {
        from: usize,
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
    Faults,
    Lie,
    EndFaults,
}

pub(super) type Filter = Box<dyn FnMut(&Frame, OperatorId) -> bool>;
pub(super) type Trace = Box<dyn FnMut(String)>;

/// A federation in virtual time.
pub struct World {
    pub(super) scenario: Scenario,
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) slots: Vec<Slot>,
    pub(super) faults_active: bool,
    /// Recent frames, for replays and lies.
    pub(super) recent: Vec<Rc<Frame>>,
    /// Recent blocks, for lies.
    pub(super) blocks: Vec<Candidate>,
    pub(super) sequence: u64,
    pub(super) events: BTreeMap<(u64, u64), SimEvent>,
    pub(super) sides: Partition,
    pub(super) split: bool,
    /// When the last frame that is under way to a slot arrives.
    pub(super) latest: Vec<u64>,
    /// The kinds of messages that a slot loses from another one, as bits.
    pub(super) kind_loss: Vec<Vec<u32>>,
    /// Whether all nodes reject all blocks of others until the quiescent phase.
    pub(super) outage: bool,
    /// Blocks that had a proof of lock in the fault phase.
    pub(super) proven: BTreeMap<BlockHash, BlockHeight>,
    pub(super) allowances: BTreeMap<(usize, u32, OperatorId, BlockHeight), Allowance>,
    pub(super) uplinks: Vec<Uplink>,
    /// Blocks that a slot's node rejects although nothing is wrong with them.
    pub(super) refused: Vec<BTreeSet<BlockHash>>,
    pub(super) checker: Checker,
    pub(super) filter: Option<Filter>,
    pub(super) trace: Option<Trace>,
    pub(super) summary: Summary,
    pub(super) quiescent_since: u64,
    pub(super) goal: BlockHeight,
    pub(super) store_lost: bool,
    /// The decision of each height, to be sent again.
    pub(super) decisions: BTreeMap<BlockHeight, Rc<Frame>>,
    /// Drivers continue after a guard's store has failed.
    #[cfg(test)]
    pub(super) ignore_guard_failure: bool,
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
    /// Creates a federation at its start.
    ///
    /// # Panics
    ///
    /// If the scenario's size and threshold cannot make a federation.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Self::with_config(scenario, |config| config)
    }

    /// Creates a federation at its start, with the machines' parameters changed by `change`.
    ///
    /// # Panics
    ///
    /// If the scenario's size and threshold cannot make a federation.
    #[must_use]
    pub fn with_config(scenario: Scenario, change: impl Fn(Config) -> Config) -> Self {
        let mut rng = Rng::new(scenario.seed);
        // Leaders follow from the operators' indices, so liars and absent operators must not always
        // have the same ones.
        let mut order: Vec<usize> = (0..scenario.size).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, rng.index(i + 1));
        }
        let mut slots = Vec::new();
        for (index, number) in order.into_iter().enumerate() {
            let id = OperatorId::new(u8::try_from(number).expect("a federation is small"));
            let config = Config::new(scenario.size, scenario.threshold, id, scenario.interval);
            let config = config.expect("the scenario describes a federation");
            // An observer waits for twice the drift: it must cover the difference between clocks, a
            // second because block times are whole seconds, and the time in which a block reaches
            // everyone, which ages it.
            let config = if scenario.amnesia {
                let bodies = scenario.body_millis * scenario.size as u64;
                config.with_max_drift(Duration::from_millis(2 * scenario.skew + 1000 + bodies))
            } else {
                config
            };
            let config = if scenario.fast_timeouts {
                fast_timeouts(config)
            } else {
                config
            };
            let config = change(if scenario.refusals > 0 {
                small_window(config)
            } else {
                config
            });
            let lies = index < scenario.liars;
            let mut slot = Slot::new(id, !lies, config);
            if lies && !scenario.nil_voters {
                slots.push(Slot::new(slot.id, false, slot.config.clone()));
            }
            // Such a liar needs no machine for what it sends.
            slot.dead = (scenario.liars..scenario.liars + scenario.dead).contains(&index)
                || (lies && scenario.nil_voters);
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
            faults_active: true,
            recent: Vec::new(),
            blocks: Vec::new(),
            sequence: 0,
            events: BTreeMap::new(),
            sides,
            split: false,
            kind_loss: vec![vec![0; count]; count],
            latest: vec![0; count],
            uplinks: vec![Uplink::new(count); count],
            outage: false,
            proven: BTreeMap::new(),
            allowances: BTreeMap::new(),
            refused: vec![BTreeSet::new(); count],
            filter: None,
            trace: None,
            summary: Summary::default(),
            quiescent_since: 0,
            goal: BlockHeight::GENESIS,
            store_lost: false,
            decisions: BTreeMap::new(),
            #[cfg(test)]
            ignore_guard_failure: false,
        }
    }

    /// Delivers only the frames for which `filter` returns true, given the receiver.
    pub fn set_filter(&mut self, filter: impl FnMut(&Frame, OperatorId) -> bool + 'static) {
        self.filter = Some(Box::new(filter));
    }

    /// Passes a line for everything that happens to `trace`.
    pub fn set_trace(&mut self, trace: impl FnMut(String) + 'static) {
        self.trace = Some(Box::new(trace));
    }

    /// Returns the results so far.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Runs to the end of the quiescent phase.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a property did not hold.
    pub fn run(&mut self) -> Result<Summary, Failure> {
        self.begin();
        loop {
            let Some(((at, _), event)) = self.events.pop_first() else {
                return Err(self.failure(self.stuck()));
            };
            self.now = at;
            if let Err(violation) = self.handle_event(event) {
                return Err(self.failure(violation));
            }
            if !self.faults_active && self.reached() {
                self.cover(CoveragePoint::ProgressChecked);
                return self.finish().map_err(|violation| self.failure(violation));
            }
            if !self.faults_active && self.now > self.quiescent_since + MAX_QUIESCENT {
                if self.scenario.must_progress() {
                    return Err(self.failure(self.stuck()));
                }
                return self.finish().map_err(|violation| self.failure(violation));
            }
        }
    }

    fn begin(&mut self) {
        for slot in 0..self.slots.len() {
            // Twins start on different sides; in the quiescent phase only the first is connected.
            let twin = slot > 0 && self.slots[slot - 1].id == self.slots[slot].id;
            let apart = twin && !self.is_duplicate(slot);
            self.sides.set(slot, u8::from(apart));
            let at = self.rng.below(300);
            self.schedule(at, SimEvent::Restart { slot });
            let at = self.rng.below(500);
            self.schedule(at, SimEvent::Sync { slot });
        }
        self.schedule(0, SimEvent::Faults);
        if self.scenario.liars > 0 {
            self.schedule(50, SimEvent::Lie);
        }
        let fault_phase = u64::try_from(self.scenario.fault_phase.as_millis()).unwrap_or(u64::MAX);
        self.schedule(fault_phase, SimEvent::EndFaults);
    }

    fn failure(&self, violation: Violation) -> Failure {
        Failure {
            seed: self.scenario.seed,
            at: self.now,
            violation,
        }
    }

    pub(super) fn living(&self) -> impl Iterator<Item = &Slot> + '_ {
        self.slots.iter().filter(|slot| slot.honest && !slot.dead)
    }

    /// Whether this is one of the two daemons of an operator that was started twice.
    pub(super) fn is_duplicate(&self, slot: usize) -> bool {
        self.scenario.duplicated && slot < 2 && !self.slots[slot].honest
    }

    fn stuck(&self) -> Violation {
        let round = |slot: &Slot| slot.machine.as_ref().map(|m| m.status().round.to_u32());
        Violation::Stuck {
            heights: self.living().map(|s| s.node.height().to_u32()).collect(),
            rounds: self.living().filter_map(round).collect(),
        }
    }

    fn reached(&self) -> bool {
        self.living().all(|slot| slot.node.height() >= self.goal)
    }

    fn finish(&mut self) -> Result<Summary, Violation> {
        let heights = self.living().map(|slot| slot.node.height().to_u32());
        self.summary.blocks = heights.max().unwrap_or(0);
        self.summary.quiescent = self.now - self.quiescent_since;
        Ok(self.summary)
    }

    pub(super) fn schedule(&mut self, delay: u64, event: SimEvent) {
        self.sequence += 1;
        self.events.insert((self.now + delay, self.sequence), event);
    }

    pub(super) fn trace_line(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace(format!("{:>8} {}", self.now, line()));
        }
    }

    pub(super) fn true_time(&self) -> u64 {
        START + self.now
    }

    fn handle_event(&mut self, event: SimEvent) -> Result<(), Violation> {
        match event {
            SimEvent::Deliver { to, frame } => self.receive(to, &frame),
            SimEvent::Sent { from, to, frame } => {
                self.sent(from, to, &frame);
                Ok(())
            }
            SimEvent::Feed { slot, life, input } => {
                if self.slots[slot].life == life {
                    self.step(slot, input)?;
                }
                Ok(())
            }
            SimEvent::Wake { slot, life } => {
                if self.slots[slot].life == life {
                    self.slots[slot].wake = None;
                    self.step(slot, Input::Tick)?;
                }
                Ok(())
            }
            SimEvent::Restart { slot } => self.restart(slot),
            SimEvent::Relay { slot, block } => self.relay(slot, &block),
            SimEvent::Sync { slot } => self.sync(slot),
            SimEvent::Faults => self.inject_faults(),
            SimEvent::Lie => {
                if !self.faults_active && self.scenario.silenced {
                    return Ok(());
                }
                self.lie();
                let pause = self
                    .rng
                    .between(20, if self.faults_active { 150 } else { 600 });
                self.schedule(pause, SimEvent::Lie);
                Ok(())
            }
            SimEvent::EndFaults => self.end_faults(),
        }
    }
}

fn fast_timeouts(config: Config) -> Config {
    let millis = Duration::from_millis;
    config
        .with_retransmit_interval(millis(3000))
        .with_timeouts(Timeouts {
            propose: millis(120),
            prevote: millis(50),
            precommit: millis(50),
            growth: millis(20),
            limit: millis(3000),
        })
}

/// Keeps so few rounds that a test can wait for heights that outlast the window.
const fn small_window(config: Config) -> Config {
    let rounds_behind = 3;
    let limits = Limits {
        rounds_behind,
        ..config.limits()
    };
    config.with_limits(limits)
}

pub(super) fn wide(half: [u8; 32]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&half);
    bytes[32..].copy_from_slice(&half);
    bytes
}

/// Creates a message with the simulation's stand-in for a signature.
pub(super) fn signed(sender: OperatorId, message: Message) -> SignedMessage {
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
