//! Assembling an operator from its parts.

mod builder;

use std::sync::Arc;

use federation_block_signing::{Config, Machine, Record, Timeouts};
use federation_chain::BlockHeight;
use federation_messenger::Messenger;
use federation_ocean_rpc::Node;
use federation_roster::{Federation, OperatorId};
use federation_signer::{GuardedSigner, IdentitySigner, Signer};

use tokio::sync::mpsc;
use tracing::Instrument;

pub use self::builder::{BuildError, OperatorBuilder, RequiredPart};
use crate::{
    AcceptAll, BlockPolicy, CallLimits, Clock, OperatorHandle, Reissuance, RequireSweep,
    StartError, Store, SystemClock,
    calls::{Calls, LimitedNode},
    engine::{self, Watched},
    log::operator_span,
    log_money_warnings,
    start::{self, Memory},
};

/// Optional settings of an operator; each has a default.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// Timeouts of the protocol; derived from the interval by default.
    pub timeouts: Option<Timeouts>,
    /// The retransmit interval: how often messages of an unfinished height are repeated.
    pub beat: Option<std::time::Duration>,
    /// How far a block's time may differ from this machine's clock.
    pub max_drift: Option<std::time::Duration>,
    /// Begin as an observer because the store was lost.
    pub observe: bool,
    /// Declares the key new as long as the node's tip is at or below this height: it has signed
    /// nothing on this chain, so with an empty store the operator takes part at once instead of
    /// beginning as an observer. The height keeps a forgotten setting from hiding the loss of a
    /// store later.
    pub new_key_until: Option<BlockHeight>,
    /// How long calls of keys, policy, node and messenger may take.
    pub calls: CallLimits,
    /// The number of blocks for which this operator failed a duty (a proposal, a test, a vote, a
    /// signature) after which an alarm is raised; 3 by default.
    pub missed_blocks: Option<core::num::NonZeroU32>,
    /// The agreed transaction that block 1 must contain, because it secures the coins of the
    /// genesis block that anyone could take.
    pub sweep: Option<federation_genesis::Sweep>,
    /// What all parties of the ceremony agreed on. The chain settings that the node reports are
    /// compared with it.
    pub certificate: Option<Arc<federation_ceremony::Certificate>>,
}

impl Options {
    /// Returns how many blocks without a duty raise an alarm.
    pub(crate) const fn missed_blocks(&self) -> u32 {
        match self.missed_blocks {
            Some(blocks) => blocks.get(),
            None => MISSED_BLOCKS,
        }
    }
}

/// How many blocks without a duty raise an alarm by default.
const MISSED_BLOCKS: u32 = 3;

/// An operator that is not running yet, with all of its parts.
pub struct Operator {
    pub(crate) federation: Arc<Federation>,
    pub(crate) me: OperatorId,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) signer: Arc<GuardedSigner<Box<dyn Signer>>>,
    pub(crate) guard_is_new: bool,
    pub(crate) identity: Arc<dyn IdentitySigner>,
    pub(crate) messenger: Arc<dyn Messenger>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Arc<dyn BlockPolicy>,
    pub(crate) options: Options,
    pub(crate) reissuance: Option<Reissuance>,
}

impl Operator {
    /// Assembles an operator of this federation from its parts.
    #[must_use]
    pub fn new(
        federation: Arc<Federation>,
        me: OperatorId,
        node: Arc<dyn Node>,
        signer: GuardedSigner<Box<dyn Signer>>,
        identity: Box<dyn IdentitySigner>,
        messenger: Arc<dyn Messenger>,
        store: Store,
    ) -> Self {
        Self {
            federation,
            me,
            node,
            signer: Arc::new(signer),
            guard_is_new: false,
            identity: identity.into(),
            messenger,
            store,
            clock: Arc::new(SystemClock),
            policy: Arc::new(AcceptAll),
            options: Options::default(),
            reissuance: None,
        }
    }

    /// Declares the guard's store newly created: on a chain that has blocks the operator then
    /// begins as an observer, because it is unknown what its key has signed.
    #[must_use]
    pub const fn with_new_guard(mut self, is_new: bool) -> Self {
        self.guard_is_new = is_new;
        self
    }

    /// Returns the guarded block key, to show what it has signed while the operator runs.
    #[must_use]
    pub fn guard(&self) -> Arc<GuardedSigner<Box<dyn Signer>>> {
        self.signer.clone()
    }

    /// Replaces the computer's clock by another one.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the block policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<dyn BlockPolicy>) -> Self {
        self.policy = policy;
        self
    }

    /// Makes the operator take part in reissuances.
    #[must_use]
    pub fn with_reissuance(mut self, reissuance: Reissuance) -> Self {
        self.reissuance = Some(reissuance);
        self
    }

    /// Sets the options.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Checks that all parts belong together, and starts. Waits for a node that is unreachable or
    /// still warming up.
    ///
    /// With an empty store on a chain that has blocks the operator begins as an observer, unless
    /// [`Options::new_key_until`] declares the key new.
    ///
    /// # Errors
    /// If node, keys or store belong to another federation, the store cannot be used, or the
    /// operator halted earlier ([`StartError::Halted`]).
    pub async fn start(self) -> Result<OperatorHandle, StartError> {
        let span = operator_span(&self.federation, self.me);
        self.start_in_span().instrument(span).await
    }

    async fn start_in_span(mut self) -> Result<OperatorHandle, StartError> {
        start::check_keys(&self)?;
        let watched = self.watch_calls();
        if let Some(sweep) = self.options.sweep.clone() {
            self.policy = Arc::new(RequireSweep::new(sweep, self.policy));
        }
        if let Some(halt) = self.store.halt()? {
            return Err(StartError::Halted { halt });
        }
        if let Some(resumed) = self.store.cleared_halt()? {
            tracing::warn!(
                who = resumed.who,
                at = %resumed.time,
                halt = %resumed.halt,
                "an earlier halt was cleared"
            );
        }
        let records = self.store.records()?;
        let mut config = self.machine_config()?;
        // An observer remains one across restarts until it takes part.
        let mut observing = self.options.observe || records.iter().any(Record::is_observing);
        let memory = if observing {
            Memory::KnownToBeLost
        } else if records.is_empty() || self.guard_is_new {
            Memory::Empty
        } else {
            Memory::UpTo(self.signer.records().await?.top())
        };
        let begin = start::check_node(&self, memory).await?;
        if self.options.observe || begin.observe {
            config = config.as_observer();
            observing = true;
        }
        if !observing && let Some(tip) = begin.new_key_at {
            // From now on the guard counts as complete, even if the operator restarts before it has
            // signed anything or seen a height finished.
            self.signer.raise_final(tip).await?;
        }
        log_money_warnings(
            self.node.as_ref(),
            self.federation.rules().dialect(),
            self.options.certificate.as_deref(),
            self.options.sweep.as_ref(),
        )
        .await;
        tracing::info!(
            federation = %self.federation.id(),
            epoch = self.federation.epoch(),
            threshold = self.federation.threshold(),
            operators = self.federation.size(),
            tolerated_absent = self.federation.tolerated_absent(),
            tolerated_byzantine = self.federation.tolerated_byzantine(),
            observing,
            "operator starts"
        );
        let machine = Machine::new(config, records);
        Ok(engine::spawn(self, machine, begin, watched)?)
    }

    /// Gives every call from now on a timeout.
    fn watch_calls(&mut self) -> Watched {
        let (sender, reports) = mpsc::unbounded_channel();
        let (limits, interval) = (self.options.calls, self.federation.interval());
        let calls = Arc::new(Calls::new(limits, interval, sender));
        self.node = Arc::new(LimitedNode::new(self.node.clone(), calls.clone()));
        if let Some(reissuance) = &mut self.reissuance {
            let node = reissuance.node.clone();
            reissuance.node = Arc::new(LimitedNode::new(node, calls.clone()));
        }
        Watched { calls, reports }
    }

    fn machine_config(&self) -> Result<Config, StartError> {
        let federation = &self.federation;
        let mut config = Config::new(
            federation.size(),
            federation.threshold(),
            self.me,
            federation.interval(),
        )?;
        if let Some(timeouts) = self.options.timeouts {
            config = config.with_timeouts(timeouts);
        }
        if let Some(beat) = self.options.beat {
            config = config.with_retransmit_interval(beat);
        }
        if let Some(max_drift) = self.options.max_drift {
            config = config.with_max_drift(max_drift);
        }
        Ok(config)
    }
}

impl core::fmt::Debug for Operator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Operator")
            .field("me", &self.me)
            .field("federation", &self.federation.id())
            .finish_non_exhaustive()
    }
}
