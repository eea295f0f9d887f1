//! The parameters that a machine runs with.

use core::time::Duration;

use federation_chain::BlockHeight;
use federation_roster::{OperatorId, Round};

/// The largest federation: CHECKMULTISIG takes at most this many keys.
pub const MAX_OPERATORS: usize = 20;

/// The error for parameters that cannot make a federation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No operators, or too many.
    #[error("a federation cannot have {0} operators: use 1 to {MAX_OPERATORS}")]
    Size(usize),
    /// A threshold that lets two blocks of one height reach enough signatures, or that no block can
    /// reach.
    #[error(
        "threshold {threshold} of {size} is unsafe or unreachable: it must be more than half of the operators, and at most all of them"
    )]
    Threshold {
        /// The threshold M.
        threshold: usize,
        /// The number of operators N.
        size: usize,
    },
    /// This operator's index is not in the roster.
    #[error("operator index {me} is out of range for {size} operators, counted from 0")]
    NotAnOperator {
        /// This operator's index.
        me: OperatorId,
        /// The number of operators N.
        size: usize,
    },
    /// A block interval of zero.
    #[error("the block interval must be at least 1 ms")]
    Interval,
}

/// How long the phases of a round may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From a round's start to the prevote for nil.
    pub propose: Duration,
    /// From M prevotes without agreement to the precommit for nil.
    pub prevote: Duration,
    /// From M precommits without agreement to the next round.
    pub precommit: Duration,
    /// By how much each timeout grows per round.
    pub growth: Duration,
    /// The limit of that growth.
    pub limit: Duration,
}

/// How many rounds of other operators' messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Votes and proposals are kept up to this many rounds ahead of the current round.
    pub rounds_ahead: u32,
    /// And up to this many rounds behind it.
    pub rounds_behind: u32,
}

/// The parameters of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    size: usize,
    threshold: usize,
    me: OperatorId,
    interval: Duration,
    timeouts: Timeouts,
    retransmit_interval: Duration,
    max_drift: Duration,
    observe: bool,
    limits: Limits,
    #[cfg(test)]
    pub(crate) mutation: Option<crate::mutation::Mutation>,
}

impl Config {
    /// Creates the parameters for operator `me` of a federation of `size` with the given threshold
    /// and block interval. The rest is derived from the interval and can be changed by the setters.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the numbers cannot make a safe federation.
    pub fn new(
        size: usize,
        threshold: usize,
        me: OperatorId,
        interval: Duration,
    ) -> Result<Self, ConfigError> {
        if !(1..=MAX_OPERATORS).contains(&size) {
            return Err(ConfigError::Size(size));
        }
        if threshold > size || 2 * threshold <= size {
            return Err(ConfigError::Threshold { threshold, size });
        }
        if me.index() >= size {
            return Err(ConfigError::NotAnOperator { me, size });
        }
        if interval < Duration::from_millis(1) {
            return Err(ConfigError::Interval);
        }
        let between = |low: u64, value: Duration, high: u64| {
            value.clamp(Duration::from_millis(low), Duration::from_millis(high))
        };
        let propose = between(300, interval / 2, 3_000);
        let vote = between(200, interval / 4, 1_000);
        Ok(Self {
            size,
            threshold,
            me,
            interval,
            timeouts: Timeouts {
                propose,
                prevote: vote,
                precommit: vote,
                growth: propose / 2,
                limit: propose * 10,
            },
            // Less than the propose timeout, so that an operator that missed the proposal can still
            // vote for it.
            retransmit_interval: propose / 2,
            max_drift: Duration::from_secs(10),
            observe: false,
            limits: Limits {
                rounds_ahead: 100,
                rounds_behind: 10,
            },
            #[cfg(test)]
            mutation: None,
        })
    }

    /// Sets how long the phases of a round may take.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets the interval at which the messages of an unfinished height are retransmitted.
    #[must_use]
    pub fn with_retransmit_interval(mut self, retransmit_interval: Duration) -> Self {
        self.retransmit_interval = retransmit_interval.max(Duration::from_millis(1));
        self
    }

    /// Sets how far a block's time may be from the clock.
    #[must_use]
    pub const fn with_max_drift(mut self, max_drift: Duration) -> Self {
        self.max_drift = max_drift;
        self
    }

    /// Makes the machine an observer (rule R29), for an operator that lost its store. Set this
    /// until the [`Standing`](crate::Standing) record that comes with the first tip is durable.
    #[must_use]
    pub const fn as_observer(mut self) -> Self {
        self.observe = true;
        self
    }

    /// Sets how many rounds of other operators' messages are kept.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns N, the number of operators.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Returns M, the threshold of the signing script, which is also the quorum of every vote.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Returns the number of votes that decide: the threshold.
    pub(crate) const fn quorum(&self) -> usize {
        #[cfg(test)]
        if let Some(crate::mutation::Mutation::SmallQuorum) = self.mutation {
            return self.threshold - 1;
        }
        self.threshold
    }

    /// Returns 2M - N, the number of operators that any two quorums share: so many contain an
    /// honest one.
    #[must_use]
    pub const fn quorum_overlap(&self) -> usize {
        2 * self.threshold - self.size
    }

    /// Returns which operator this is.
    #[must_use]
    pub const fn me(&self) -> OperatorId {
        self.me
    }

    /// Returns the time between the targets of two consecutive heights.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns how long the phases of a round may take.
    #[must_use]
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Returns the interval at which the messages of an unfinished height are retransmitted.
    #[must_use]
    pub const fn retransmit_interval(&self) -> Duration {
        self.retransmit_interval
    }

    /// Returns how far a block's time may be from the clock.
    #[must_use]
    pub const fn max_drift(&self) -> Duration {
        self.max_drift
    }

    /// Whether the machine starts as an observer.
    #[must_use]
    pub const fn observe(&self) -> bool {
        self.observe
    }

    /// Returns how many rounds of other operators' messages are kept.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the leader of a round: (h + r) mod N (rule R3).
    #[must_use]
    pub fn leader(&self, height: BlockHeight, round: Round) -> OperatorId {
        let sum = u64::from(height.to_u32()) + u64::from(round.to_u32());
        let index = sum % self.size as u64;
        OperatorId::new(u8::try_from(index).expect("the remainder is below 20"))
    }

    /// Returns a phase's timeout in a round: its base plus the growth per round, up to the limit.
    pub(crate) fn timeout_in_round(&self, base: Duration, round: Round) -> Duration {
        let grown = base.saturating_add(self.timeouts.growth.saturating_mul(round.to_u32()));
        let grown = grown.min(self.timeouts.limit.max(base));
        // A round of zero length would never finish evaluating.
        grown.max(Duration::from_millis(1))
    }
}
