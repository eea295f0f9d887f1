//! What goes wrong in one run.

use core::time::Duration;

use super::rng::Rng;
use crate::MAX_OPERATORS;

/// What one run is made of; fields are plain so that a test can set up its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scenario {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// The number of operators N.
    pub size: usize,
    /// The threshold M.
    pub threshold: usize,
    /// How many operators lie.
    pub liars: usize,
    /// Whether the liars say nothing in the calm.
    pub silenced: bool,
    /// Whether the liars never vote for a block, and say anything else: they are then no danger to
    /// the one block per height, and up to N - M of them, more than the threshold stands of others,
    /// must not keep blocks from coming either.
    pub nuisances: bool,
    /// Whether the first liar is no liar but one honest operator started twice, without its memory
    /// shared: each of the two must end for good when it hears the other.
    pub doubled: bool,
    /// How many operators are never there.
    pub dead: usize,
    /// The block interval.
    pub interval: Duration,
    /// How long everything goes wrong.
    pub storm: Duration,
    /// How many blocks must be made in the calm after the storm.
    pub goal: u32,
    /// Frames lost, of a thousand, in the storm.
    pub loss: u64,
    /// How often, of a thousand, an operator hears nothing of one kind of message for a while:
    /// this is what parts those who saw a decision from those who did not.
    pub deaf: u64,
    /// Short rounds and a slow beat, instead of what follows from the interval: many rounds go by
    /// before a secret is out.
    pub hasty: bool,
    /// The same for votes and certificates only: some then know of a lock or a decision and
    /// others do not, which is where locks matter.
    pub secrets: u64,
    /// Frames delivered twice, of a thousand.
    pub duplicates: u64,
    /// Old frames delivered again, of a thousand sent.
    pub replays: u64,
    /// The longest delay of a frame in the storm, in milliseconds; differing delays reorder.
    pub delay: u64,
    /// How long an operator's uplink is busy with one body to one other, in milliseconds; 0 for
    /// links without limit.
    pub body_millis: u64,
    /// The same in the storm, where that is more.
    pub clogged_millis: u64,
    /// Bodies that wait for one receiver at most, before the oldest frame is dropped.
    pub queued_bodies: usize,
    /// Blocks that all nodes refuse in the storm, of a thousand.
    pub refusals: u64,
    /// Proofs of lock, of a thousand stored ones in the storm, whose block nodes refuse from then
    /// on.
    pub flips: u64,
    /// Crashes of an operator, of a thousand outputs, at any border between two outputs.
    pub crashes: u64,
    /// Failures of the store, of a thousand batches.
    pub store_failures: u64,
    /// Failures of the guard's store, of a thousand signatures.
    pub guard_failures: u64,
    /// Whether an operator may lose its memory and come back as an observer, in every second run
    /// with its node lost, too.
    pub amnesia: bool,
    /// How often, of a thousand crashes, the operator's node comes back without its last blocks.
    pub rollbacks: u64,
    /// Whether the network falls into two parts now and then.
    pub partitions: bool,
    /// Whether nodes pass blocks on among themselves in the storm.
    pub relay: bool,
    /// The slowest answer of a node, in milliseconds.
    pub slow_node: u64,
    /// Answers that a node does not give, of a thousand.
    pub node_failures: u64,
    /// The largest error of a clock, in milliseconds; clocks also jump.
    pub skew: u64,
    /// Whether a fork is what the run is to find: checks only that it cannot happen, not that
    /// honest operators agree.
    pub only_forks: bool,
}

impl Scenario {
    /// Five honest operators, three of whom suffice, and nothing going wrong.
    #[must_use]
    pub const fn calm(seed: u64) -> Self {
        Self {
            seed,
            size: 5,
            threshold: 3,
            liars: 0,
            silenced: false,
            nuisances: false,
            doubled: false,
            dead: 0,
            interval: Duration::from_secs(1),
            storm: Duration::ZERO,
            goal: 3,
            loss: 0,
            deaf: 0,
            hasty: false,
            secrets: 0,
            duplicates: 0,
            replays: 0,
            delay: 20,
            body_millis: 0,
            clogged_millis: 0,
            queued_bodies: 4,
            refusals: 0,
            flips: 0,
            crashes: 0,
            store_failures: 0,
            guard_failures: 0,
            amnesia: false,
            rollbacks: 0,
            partitions: false,
            relay: true,
            slow_node: 20,
            node_failures: 0,
            skew: 0,
            only_forks: false,
        }
    }

    /// The scenario of a seed: every fourth one [about locks](Self::about_locks), every eighth one
    /// [about validity](Self::about_validity), every sixteenth one
    /// [of nuisances](Self::of_nuisances), the others with any federation of three to seven
    /// operators, rarely up to twenty, any faults, and as many liars as the threshold stands, in one
    /// of two runs the most.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        if seed % 4 == 3 {
            return Self::about_locks(seed);
        }
        if seed % 16 == 2 {
            return Self::of_nuisances(seed);
        }
        if seed % 8 == 1 {
            return Self::about_validity(seed);
        }
        let mut rng = Rng::new(seed ^ 0x005C_E9A2_1000);
        let size = if rng.chance(25) {
            rng.between(8, MAX_OPERATORS as u64)
        } else {
            [3, 4, 4, 5, 5, 5, 6, 7][rng.index(8)]
        };
        let threshold = rng.between(size / 2 + 1, size);
        let most_liars = 2 * threshold - size - 1;
        let liars = if rng.chance(500) {
            most_liars
        } else {
            rng.below(most_liars + 1)
        };
        // Beyond N - M faulty operators nothing need move; safety is what such runs test.
        let spare = (size - threshold).saturating_sub(liars);
        let mut sometimes = |permille: u64, most: u64| {
            if rng.chance(permille) {
                rng.below(most + 1)
            } else {
                0
            }
        };
        let loss = sometimes(700, 400);
        let duplicates = sometimes(500, 200);
        let replays = sometimes(500, 100);
        let delay = 20 + sometimes(600, 900);
        let crashes = sometimes(700, 40);
        let store_failures = sometimes(200, 10);
        let slow_node = 10 + sometimes(400, 800);
        let node_failures = sometimes(400, 400);
        let skew = sometimes(500, 3000);
        let dead = sometimes(400, spare);
        let deaf = sometimes(700, 700);
        let guard_failures = sometimes(200, 100);
        let rollbacks = sometimes(300, 500);
        let body_millis = sometimes(300, 200);
        let clogged_millis = sometimes(100, 4000);
        let refusals = sometimes(150, 1500);
        let flips = sometimes(200, 1000);
        let amnesia = rng.chance(150);
        Self {
            seed,
            size: usize::try_from(size).unwrap_or(3),
            threshold: usize::try_from(threshold).unwrap_or(2),
            liars: usize::try_from(liars).unwrap_or(0),
            silenced: rng.chance(400),
            nuisances: false,
            doubled: rng.chance(100),
            dead: usize::try_from(dead).unwrap_or(0),
            interval: Duration::from_millis([100, 1000, 1000, 2000][rng.index(4)]),
            storm: Duration::from_millis(rng.between(1000, 6000)),
            // An observer waits for a block that is surely younger than its observing. So many blocks of
            // a large federation over narrow links are beyond the calm.
            goal: if amnesia && size <= 7 { 15 } else { 3 },
            loss,
            deaf,
            hasty: false,
            secrets: 0,
            duplicates,
            replays,
            delay,
            body_millis,
            clogged_millis,
            queued_bodies: 1 + rng.index(4),
            refusals,
            flips,
            crashes,
            store_failures,
            guard_failures,
            amnesia,
            rollbacks,
            partitions: rng.chance(500),
            relay: rng.chance(700),
            slow_node,
            node_failures,
            skew,
            only_forks: false,
        }
    }

    /// The scenario of a seed that is all about locks: decisions that only some hear of, and
    /// crashes of those who are locked.
    #[must_use]
    pub fn about_locks(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x10C5);
        let (size, threshold) = [(3, 2), (5, 3), (7, 4)][rng.index(3)];
        Self {
            size,
            threshold,
            storm: Duration::from_secs(6),
            goal: 1,
            hasty: true,
            secrets: rng.between(150, 350),
            crashes: [0, 30, 100][rng.index(3)],
            relay: false,
            ..Self::calm(seed)
        }
    }

    /// The scenario of a seed in which N - M operators are liars who vote for no block: they vote
    /// for nil any number of rounds ahead, lead rounds, withhold, spoil, and piece together what
    /// others said.
    #[must_use]
    pub fn of_nuisances(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x0007_7157);
        let (size, threshold) = [(3, 2), (5, 3), (5, 4), (7, 4), (4, 3), (15, 8)][rng.index(6)];
        Self {
            size,
            threshold,
            liars: size - threshold,
            nuisances: true,
            storm: Duration::from_millis(rng.between(0, 4000)),
            loss: [0, 100, 300][rng.index(3)],
            crashes: [0, 10, 30][rng.index(3)],
            goal: 2,
            ..Self::calm(seed)
        }
    }

    /// The scenario of a seed that is all about blocks that nodes refuse once they have a proof of
    /// lock: votes that come too late to lock anybody, and operators that start again and ask
    /// their nodes again.
    #[must_use]
    pub fn about_validity(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xF11B);
        let (size, threshold) = [(4, 3), (5, 3), (7, 4), (7, 4)][rng.index(4)];
        Self {
            size,
            threshold,
            storm: Duration::from_millis(rng.between(2000, 5000)),
            goal: 1,
            loss: rng.between(50, 300),
            secrets: rng.between(0, 200),
            delay: rng.between(400, 800),
            crashes: rng.between(5, 30),
            flips: 1000,
            relay: false,
            ..Self::calm(seed)
        }
    }

    /// Whether so few operators are faulty that blocks must come in the calm.
    #[must_use]
    pub const fn must_progress(&self) -> bool {
        self.liars + self.dead + (self.amnesia as usize) <= self.size - self.threshold
    }
}
