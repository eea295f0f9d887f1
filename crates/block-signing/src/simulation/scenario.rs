//! The faults of one run.

use core::time::Duration;

use super::rng::Rng;
use crate::MAX_OPERATORS;

/// The parameters of one run; the fields are public so that a test can set its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scenario {
    /// Determines everything that is random.
    pub seed: u64,
    /// The number of operators N.
    pub size: usize,
    /// The threshold M.
    pub threshold: usize,
    /// How many operators lie.
    pub liars: usize,
    /// Whether the liars are silent in the quiescent phase.
    pub silenced: bool,
    /// Whether the liars never vote for a block, and send anything else. They are then no danger to
    /// the one block per height, and up to N - M of them, more than the threshold tolerates of
    /// other liars, must not stop the chain either.
    pub nil_voters: bool,
    /// Whether the first liar is really one honest operator started twice, without a shared store:
    /// each of the two must stop for good when it receives the other's message.
    pub duplicated: bool,
    /// How many operators are permanently absent.
    pub dead: usize,
    /// The block interval.
    pub interval: Duration,
    /// The length of the fault phase.
    pub fault_phase: Duration,
    /// How many blocks must be made in the quiescent phase.
    pub goal: u32,
    /// Frames lost in the fault phase, per thousand.
    pub loss: u64,
    /// How often an operator loses all messages of one kind from another for a while, per thousand:
    /// this is what separates those that saw a decision from those that did not.
    pub kind_loss: u64,
    /// Whether rounds are short and retransmission is slow, instead of following from the interval:
    /// many rounds pass before a vote that only some received reaches the rest.
    pub fast_timeouts: bool,
    /// Per-kind loss of votes and certificates only: some operators then know of a lock or a
    /// decision and others do not, which is when locks matter.
    pub vote_loss: u64,
    /// Frames delivered twice, per thousand.
    pub duplicates: u64,
    /// Old frames delivered again, per thousand sent.
    pub replays: u64,
    /// The longest delay of a frame in the fault phase, in milliseconds; varying delays reorder
    /// frames.
    pub delay: u64,
    /// How long an operator's uplink is busy with one body to one receiver, in milliseconds; 0 for
    /// unlimited bandwidth.
    pub body_millis: u64,
    /// The same in the fault phase, if larger.
    pub congested_millis: u64,
    /// The most bodies queued for one receiver before the oldest frame is dropped.
    pub queued_bodies: usize,
    /// Blocks that all nodes reject in the fault phase, per thousand.
    pub refusals: u64,
    /// Proofs of lock whose block nodes reject from then on, per thousand stored in the fault
    /// phase.
    pub flips: u64,
    /// Crashes of an operator per thousand outputs, between any two outputs.
    pub crashes: u64,
    /// Failures of the store, per thousand batches.
    pub store_failures: u64,
    /// Failures of the guard's store, per thousand signatures.
    pub guard_failures: u64,
    /// Whether an operator may lose its store and come back as an observer, in every second run
    /// with its node lost too.
    pub amnesia: bool,
    /// How often an operator's node comes back without its last blocks, per thousand crashes.
    pub rollbacks: u64,
    /// Whether the network splits into two parts from time to time.
    pub partitions: bool,
    /// Whether nodes relay blocks to each other in the fault phase.
    pub relay: bool,
    /// The slowest answer of a node, in milliseconds.
    pub slow_node: u64,
    /// Answers that a node fails to give, per thousand.
    pub node_failures: u64,
    /// The largest error of a clock, in milliseconds; clocks also jump.
    pub skew: u64,
    /// Whether the run looks for forks only: it does not check that honest operators agree.
    pub only_forks: bool,
}

impl Scenario {
    /// Returns a federation of five honest operators with threshold three, without faults.
    #[must_use]
    pub const fn fault_free(seed: u64) -> Self {
        Self {
            seed,
            size: 5,
            threshold: 3,
            liars: 0,
            silenced: false,
            nil_voters: false,
            duplicated: false,
            dead: 0,
            interval: Duration::from_secs(1),
            fault_phase: Duration::ZERO,
            goal: 3,
            loss: 0,
            kind_loss: 0,
            fast_timeouts: false,
            vote_loss: 0,
            duplicates: 0,
            replays: 0,
            delay: 20,
            body_millis: 0,
            congested_millis: 0,
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

    /// Returns the scenario of a seed. Every fourth one is [about locks](Self::about_locks), every
    /// eighth one [about validity](Self::about_validity) and every sixteenth one [about nil
    /// voters](Self::about_nil_voters). The others have a federation of three to seven operators,
    /// rarely up to twenty, any faults, and as many liars as the threshold tolerates, in every
    /// second run the maximum.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        if seed % 4 == 3 {
            return Self::about_locks(seed);
        }
        if seed % 16 == 2 {
            return Self::about_nil_voters(seed);
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
        // Beyond N - M faulty operators no progress is required; such runs test safety.
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
        let kind_loss = sometimes(700, 700);
        let guard_failures = sometimes(200, 100);
        let rollbacks = sometimes(300, 500);
        let body_millis = sometimes(300, 200);
        let congested_millis = sometimes(100, 4000);
        let refusals = sometimes(150, 1500);
        let flips = sometimes(200, 1000);
        let amnesia = rng.chance(150);
        Self {
            seed,
            size: usize::try_from(size).unwrap_or(3),
            threshold: usize::try_from(threshold).unwrap_or(2),
            liars: usize::try_from(liars).unwrap_or(0),
            silenced: rng.chance(400),
            nil_voters: false,
            duplicated: rng.chance(100),
            dead: usize::try_from(dead).unwrap_or(0),
            interval: Duration::from_millis([100, 1000, 1000, 2000][rng.index(4)]),
            fault_phase: Duration::from_millis(rng.between(1000, 6000)),
            // An observer waits for a block that is certainly younger than its observing. In a
            // large federation over narrow links this many blocks would exceed the quiescent phase.
            goal: if amnesia && size <= 7 { 15 } else { 3 },
            loss,
            kind_loss,
            fast_timeouts: false,
            vote_loss: 0,
            duplicates,
            replays,
            delay,
            body_millis,
            congested_millis,
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

    /// Returns a scenario about locks: decisions that only some operators receive, and crashes of
    /// operators that are locked.
    #[must_use]
    pub fn about_locks(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x10C5);
        let (size, threshold) = [(3, 2), (5, 3), (7, 4)][rng.index(3)];
        Self {
            size,
            threshold,
            fault_phase: Duration::from_secs(6),
            goal: 1,
            fast_timeouts: true,
            vote_loss: rng.between(150, 350),
            crashes: [0, 30, 100][rng.index(3)],
            relay: false,
            ..Self::fault_free(seed)
        }
    }

    /// Returns a scenario in which N - M operators are liars that vote for no block: they vote for
    /// nil any number of rounds ahead, lead rounds, withhold and spoil bodies, and assemble
    /// certificates from others' votes.
    #[must_use]
    pub fn about_nil_voters(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x0007_7157);
        let (size, threshold) = [(3, 2), (5, 3), (5, 4), (7, 4), (4, 3), (15, 8)][rng.index(6)];
        Self {
            size,
            threshold,
            liars: size - threshold,
            nil_voters: true,
            fault_phase: Duration::from_millis(rng.between(0, 4000)),
            loss: [0, 100, 300][rng.index(3)],
            crashes: [0, 10, 30][rng.index(3)],
            goal: 2,
            ..Self::fault_free(seed)
        }
    }

    /// Returns a scenario about blocks that nodes reject once they have a proof of lock: votes that
    /// arrive too late to lock any operator, and operators that restart and ask their nodes again.
    #[must_use]
    pub fn about_validity(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xF11B);
        let (size, threshold) = [(4, 3), (5, 3), (7, 4), (7, 4)][rng.index(4)];
        Self {
            size,
            threshold,
            fault_phase: Duration::from_millis(rng.between(2000, 5000)),
            goal: 1,
            loss: rng.between(50, 300),
            vote_loss: rng.between(0, 200),
            delay: rng.between(400, 800),
            crashes: rng.between(5, 30),
            flips: 1000,
            relay: false,
            ..Self::fault_free(seed)
        }
    }

    /// Whether few enough operators are faulty that blocks must be made in the quiescent phase.
    #[must_use]
    pub const fn must_progress(&self) -> bool {
        self.liars + self.dead + (self.amnesia as usize) <= self.size - self.threshold
    }
}
