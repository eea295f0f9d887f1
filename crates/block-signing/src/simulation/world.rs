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
    check::{Breach, Checker, Failure},
    exercise::{Exercise, Exercised},
    network::{Frame, Partition},
    operator::Slot,
    requests::Granted,
    rng::Rng,
    scenario::Scenario,
    uplink::Uplink,
};

/// True time at the start of a run, in milliseconds since the epoch.
const START: u64 = GENESIS_SECS * 1000 + 60_000;

/// How long the calm may last before the run counts as stuck.
const CALM: u64 = 180_000;

/// Frames remembered for replays and lies.
pub(super) const MEMORY: usize = 512;

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
    /// What was met and checked.
    pub exercised: Exercised,
    /// Pieces of evidence put out by honest operators.
    pub evidence: u32,
    /// Bodies that were sent, one for each receiver.
    pub bodies: u64,
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
pub(super) enum Happening {
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
    Weather,
    Lie,
    Calm,
}

pub(super) type Filter = Box<dyn FnMut(&Frame, OperatorId) -> bool>;
pub(super) type Trace = Box<dyn FnMut(String)>;

/// A federation in virtual time.
pub struct World {
    pub(super) scenario: Scenario,
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) slots: Vec<Slot>,
    pub(super) storm: bool,
    /// Recent frames, for replays and lies.
    pub(super) recent: Vec<Rc<Frame>>,
    /// Recent blocks, for lies.
    pub(super) blocks: Vec<Candidate>,
    pub(super) sequence: u64,
    pub(super) happenings: BTreeMap<(u64, u64), Happening>,
    pub(super) sides: Partition,
    pub(super) split: bool,
    /// When the last of the frames arrives that are on their way to a slot.
    pub(super) latest: Vec<u64>,
    /// Which kinds of messages a slot does not hear from another one, as bits.
    pub(super) deaf: Vec<Vec<u32>>,
    /// Whether all nodes refuse all blocks of others until the calm.
    pub(super) outage: bool,
    /// Blocks that had a proof of lock in the storm.
    pub(super) proven: BTreeMap<BlockHash, BlockHeight>,
    pub(super) granted: BTreeMap<(usize, u32, OperatorId, BlockHeight), Granted>,
    pub(super) uplinks: Vec<Uplink>,
    /// Blocks that a slot's node refuses though nothing is wrong with them.
    pub(super) refused: Vec<BTreeSet<BlockHash>>,
    pub(super) checker: Checker,
    pub(super) filter: Option<Filter>,
    pub(super) trace: Option<Trace>,
    pub(super) summary: Summary,
    pub(super) calm_since: u64,
    pub(super) goal: BlockHeight,
    pub(super) forgot: bool,
    /// What settled each height, for those who say it again.
    pub(super) decisions: BTreeMap<BlockHeight, Rc<Frame>>,
    /// Drivers go on when a guard's store has failed.
    #[cfg(test)]
    pub(super) stubborn: bool,
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
            // An observer waits for twice the drift: no more than clocks differ, a second for times
            // in whole seconds, and what a block takes to everybody, which makes it older.
            let config = if scenario.amnesia {
                let bodies = scenario.body_millis * scenario.size as u64;
                config.with_max_drift(Duration::from_millis(2 * scenario.skew + 1000 + bodies))
            } else {
                config
            };
            let config = if scenario.hasty {
                hasty(config)
            } else {
                config
            };
            let config = change(if scenario.refusals > 0 {
                forgetful(config)
            } else {
                config
            });
            let lies = place < scenario.liars;
            let mut slot = Slot::new(id, !lies, config);
            if lies && !scenario.nuisances {
                slots.push(Slot::new(slot.id, false, slot.config.clone()));
            }
            // A nuisance needs no machine for what it says.
            slot.dead = (scenario.liars..scenario.liars + scenario.dead).contains(&place)
                || (lies && scenario.nuisances);
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
            latest: vec![0; count],
            uplinks: vec![Uplink::new(count); count],
            outage: false,
            proven: BTreeMap::new(),
            granted: BTreeMap::new(),
            refused: vec![BTreeSet::new(); count],
            filter: None,
            trace: None,
            summary: Summary::default(),
            calm_since: 0,
            goal: BlockHeight::GENESIS,
            forgot: false,
            decisions: BTreeMap::new(),
            #[cfg(test)]
            stubborn: false,
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

    /// What was done so far.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
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
                self.count(Exercise::ProgressChecked);
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
            let apart = twin && !self.is_doubled(slot);
            self.sides.set(slot, u8::from(apart));
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

    pub(super) fn living(&self) -> impl Iterator<Item = &Slot> + '_ {
        self.slots.iter().filter(|slot| slot.honest && !slot.dead)
    }

    /// Whether this is one of the two daemons of an operator that was started twice.
    pub(super) fn is_doubled(&self, slot: usize) -> bool {
        self.scenario.doubled && slot < 2 && !self.slots[slot].honest
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

    pub(super) fn later(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings
            .insert((self.now + delay, self.sequence), happening);
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace(format!("{:>8} {}", self.now, line()));
        }
    }

    pub(super) fn true_time(&self) -> u64 {
        START + self.now
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Breach> {
        match happening {
            Happening::Deliver { to, frame } => self.receive(to, &frame),
            Happening::Sent { from, to, frame } => {
                self.sent(from, to, &frame);
                Ok(())
            }
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
                if !self.storm && self.scenario.silenced {
                    return Ok(());
                }
                self.lie();
                let pause = self.rng.between(20, if self.storm { 150 } else { 600 });
                self.later(pause, Happening::Lie);
                Ok(())
            }
            Happening::Calm => self.calm(),
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

/// So few rounds kept that heights that the test can wait for are long ones.
const fn forgetful(config: Config) -> Config {
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

/// A message with the simulation's stand-in for a signature.
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
