//! The numbers that a machine runs by.

use core::time::Duration;

use federation_chain::BlockHeight;
use federation_roster::{OperatorId, Round};

/// The largest federation: CHECKMULTISIG takes no more keys.
pub const MAX_OPERATORS: usize = 20;

/// Parameters that make no federation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Too many or no operators.
    #[error("{0} operators make no federation: use 1 to {MAX_OPERATORS}")]
    Size(usize),
    /// A threshold with which two blocks of one height can both get enough signatures, or none.
    #[error(
        "threshold {threshold} of {size} is unsafe or out of reach: it must be over half of the operators and at most all"
    )]
    Threshold {
        /// The threshold M.
        threshold: usize,
        /// The number of operators N.
        size: usize,
    },
    /// The own number is not in the roster.
    #[error("operator {me} does not exist among {size}")]
    NotAnOperator {
        /// The own number.
        me: OperatorId,
        /// The number of operators N.
        size: usize,
    },
    /// An interval of nothing.
    #[error("the block interval must be at least one millisecond")]
    Interval,
}

/// How long the phases of a round may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From a round's start to the prevote for nil.
    pub propose: Duration,
    /// From M prevotes that disagree to the precommit for nil.
    pub prevote: Duration,
    /// From M precommits that disagree to the next round.
    pub precommit: Duration,
    /// What each of them grows by per round.
    pub growth: Duration,
    /// What none of them grows beyond.
    pub limit: Duration,
}

/// How much is kept of what others send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Votes and proposals are kept up to this many rounds ahead of the own round.
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
    beat: Duration,
    max_drift: Duration,
    observe: bool,
    limits: Limits,
    #[cfg(test)]
    pub(crate) mutation: Option<crate::mutation::Mutation>,
}

impl Config {
    /// Parameters for operator `me` of a federation of `size` with the given threshold and block
    /// interval; the rest follows from the interval and can be changed by the setters.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the numbers make no safe federation.
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
            // Within the propose time-out, so that who missed the proposal can still vote for it.
            beat: propose / 2,
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

    /// Sets after how long an unfinished height's messages are repeated.
    #[must_use]
    pub fn with_beat(mut self, beat: Duration) -> Self {
        self.beat = beat.max(Duration::from_millis(1));
        self
    }

    /// Sets how far a block's time may be from the clock.
    #[must_use]
    pub const fn with_max_drift(mut self, max_drift: Duration) -> Self {
        self.max_drift = max_drift;
        self
    }

    /// Makes the machine an observer (rule R29): for an operator whose memory is lost. To be set
    /// until the [`Standing`](crate::Standing) record that comes with the first tip is durable.
    #[must_use]
    pub const fn as_observer(mut self) -> Self {
        self.observe = true;
        self
    }

    /// Sets how much is kept of what others send.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The number of operators N.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The threshold M of the signing script, which is also the quorum of every vote.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// How many votes decide: the threshold.
    pub(crate) const fn quorum(&self) -> usize {
        #[cfg(test)]
        if let Some(crate::mutation::Mutation::SmallQuorum) = self.mutation {
            return self.threshold - 1;
        }
        self.threshold
    }

    /// 2M - N: so many operators contain one that does not lie.
    #[must_use]
    pub const fn one_honest(&self) -> usize {
        2 * self.threshold - self.size
    }

    /// Which operator this is.
    #[must_use]
    pub const fn me(&self) -> OperatorId {
        self.me
    }

    /// The time between the targets of two heights.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// How long the phases of a round may take.
    #[must_use]
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// After how long an unfinished height's messages are repeated.
    #[must_use]
    pub const fn beat(&self) -> Duration {
        self.beat
    }

    /// How far a block's time may be from the clock.
    #[must_use]
    pub const fn max_drift(&self) -> Duration {
        self.max_drift
    }

    /// Whether the machine starts as an observer.
    #[must_use]
    pub const fn observe(&self) -> bool {
        self.observe
    }

    /// How much is kept of what others send.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The leader of a round: (h + r) mod N (rule R3).
    #[must_use]
    pub fn leader(&self, height: BlockHeight, round: Round) -> OperatorId {
        let sum = u64::from(height.to_u32()) + u64::from(round.to_u32());
        let index = sum % self.size as u64;
        OperatorId::new(u8::try_from(index).expect("the remainder is below 20"))
    }

    /// A phase's time-out in a round: its base, grown by the round, within the limit.
    pub(crate) fn grown(&self, base: Duration, round: Round) -> Duration {
        let grown = base.saturating_add(self.timeouts.growth.saturating_mul(round.to_u32()));
        let grown = grown.min(self.timeouts.limit.max(base));
        // A round without length would never end its own evaluation.
        grown.max(Duration::from_millis(1))
    }
}
