//! Drives the machine with a node, a wire, a signer, the guard and a clock.

mod duties;
mod jobs;
mod log;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use federation_chain::{BlockHeight, UnixTime};
use federation_ocean_rpc::Node;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    duties::Duties,
    jobs::{Answer, Jobs},
};
use crate::{
    BlockSigner, Config, Duty, Event, Input, LIMITS, Machine, Message, Output, Reissuer, TurnGuard,
    TurnGuardError,
    wire::{Wire, WireError},
};

/// The longest sleep, so that a change of the clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// The shortest and the longest pause between two checks for the last block of this protocol.
const WATCH_INTERVAL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How many messages may wait for a slow wire.
const OUTGOING: usize = 64;
/// How long the wire may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Timeouts of an operator's calls. A call that exceeds its timeout is abandoned, which costs the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLimits {
    /// A signature, 15 s by default: longer than a hardware module's own timeout.
    pub key: Duration,
    /// Finding or signing reissuances, 5 s by default; after that, a block goes without them.
    pub reissuer: Duration,
    /// A whole job of calls to the node, the signer and the reissuer, 120 s by default.
    pub job: Duration,
    /// Passing a message to the wire, 5 s by default.
    pub wire: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            key: Duration::from_secs(15),
            reissuer: Duration::from_secs(5),
            job: Duration::from_secs(120),
            wire: Duration::from_secs(5),
        }
    }
}

/// A source of Unix time.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// Returns the system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// Why an operator stopped on its own. Temporary faults, such as an unreachable node or peer, do not
/// stop it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The guard cannot record what is signed.
    #[error("the guard cannot record what is signed: {0}")]
    Guard(#[source] TurnGuardError),
    /// The wire failed for good.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// An internal task failed.
    #[error("an internal task ended: {0}")]
    Task(String),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers handle each outcome")]
pub enum RunOutcome {
    /// It was asked to stop.
    Stopped,
    /// The chain has reached the block before the height set by [`Config::until`].
    Reached,
}

/// An operator of the old federation.
pub struct Operator {
    config: Config,
    node: Arc<dyn Node>,
    wire: Arc<dyn Wire>,
    signer: Arc<dyn BlockSigner>,
    guard: TurnGuard,
    reissuer: Option<Reissuer>,
    clock: Clock,
    limits: CallLimits,
    until: Option<BlockHeight>,
    events: Option<mpsc::UnboundedSender<Event>>,
}

impl core::fmt::Debug for Operator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Operator")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Operator {
    /// Creates an operator that uses the system's clock.
    #[must_use]
    pub fn new(
        config: Config,
        node: Arc<dyn Node>,
        wire: Arc<dyn Wire>,
        signer: Arc<dyn BlockSigner>,
        guard: TurnGuard,
    ) -> Self {
        Self {
            until: config.ends_at(),
            config,
            node,
            wire,
            signer,
            guard,
            reissuer: None,
            clock: system_clock(),
            limits: CallLimits::default(),
            events: None,
        }
    }

    /// Takes part in reissuances.
    #[must_use]
    pub fn with_reissuer(mut self, reissuer: Reissuer) -> Self {
        self.reissuer = Some(reissuer);
        self
    }

    /// Sets a clock other than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the timeouts of calls.
    #[must_use]
    pub const fn with_limits(mut self, limits: CallLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sends events to this channel as well.
    #[must_use]
    pub fn with_events(mut self, events: mpsc::UnboundedSender<Event>) -> Self {
        self.events = Some(events);
        self
    }

    /// Runs until it is asked to stop, or the protocol ends, and then closes the wire.
    ///
    /// # Errors
    /// If it cannot continue.
    pub async fn run(self, stop: CancellationToken) -> Result<RunOutcome, OperatorError> {
        tracing::warn!("{LIMITS}");
        tracing::info!(
            operator = self.config.me(),
            operators = self.config.schedule().operators(),
            threshold = self.config.rules().script().threshold().to_u8(),
            interval_ms = self.config.schedule().interval().as_millis(),
            dialect = %self.config.rules().dialect(),
            "classic operator started"
        );
        let wire = self.wire.clone();
        let result = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(RunOutcome::Stopped),
            () = self.watch() => Ok(RunOutcome::Reached),
            result = self.drive() => result,
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, wire.close())
            .await
            .is_err()
        {
            tracing::warn!("the wire does not close, stopping without it");
        }
        tracing::info!(
            reached_end = matches!(result, Ok(RunOutcome::Reached)),
            "classic operator stopped"
        );
        result
    }

    /// Returns once the chain has the last block of this protocol.
    async fn watch(&self) {
        let Some(last) = self.until.and_then(BlockHeight::previous) else {
            return core::future::pending().await;
        };
        let pause =
            (self.config.schedule().interval() / 20).clamp(WATCH_INTERVAL.0, WATCH_INTERVAL.1);
        loop {
            // An unreachable node is reported at the start of a turn.
            if matches!(self.node.block_count().await, Ok(height) if height >= last) {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn drive(&self) -> Result<RunOutcome, OperatorError> {
        let mut machine = Machine::new(self.config.clone());
        let jobs = Jobs {
            node: self.node.clone(),
            signer: self.signer.clone(),
            guard: self.guard.clone(),
            reissuer: self.reissuer.clone(),
            rules: self.config.rules().clone(),
            first_block: Arc::new(OnceLock::new()),
            key_limit: self.limits.key,
            reissuer_limit: self.limits.reissuer,
        };
        let mut running: JoinSet<Result<Answer, Option<Duty>>> = JoinSet::new();
        let (to_wire, outgoing) = mpsc::channel(OUTGOING);
        let mut publishing = JoinSet::new();
        publishing.spawn(publish(self.wire.clone(), outgoing, self.limits.wire));
        let mut log = log::Log::default();
        let mut duties = Duties::default();
        // A duty that was done, unless the machine reports that it was done too late.
        let mut done = None;
        machine.handle((self.clock)(), Input::Tick);
        loop {
            while let Some(output) = machine.poll_output() {
                match output {
                    Output::Event(event) => {
                        let failure = match &event {
                            Event::TooLate { duty, .. } => {
                                done = None;
                                duties.record(*duty, Err("too late".to_owned()))
                            }
                            _ => None,
                        };
                        self.report(&mut log, event);
                        if let Some(event) = failure {
                            self.report(&mut log, event);
                        }
                    }
                    Output::Publish(message) => {
                        // A turn is short: the message would be useless later.
                        if to_wire.try_send(message).is_err() {
                            tracing::error!("the wire does not accept messages, message dropped");
                        }
                    }
                    Output::Finish { .. } => return Ok(RunOutcome::Reached),
                    job => {
                        let (jobs, limit) = (jobs.clone(), self.limits.job);
                        let duty = match &job {
                            Output::TestBlock { .. } => Some(Duty::Test),
                            Output::SignBlock { .. } => Some(Duty::Sign),
                            _ => None,
                        };
                        running.spawn(async move {
                            let answer = tokio::time::timeout(limit, jobs.run(job)).await;
                            answer.map_err(|_| duty)
                        });
                    }
                }
            }
            if let Some(duty) = done.take()
                && let Some(event) = duties.record(duty, Ok(()))
            {
                self.report(&mut log, event);
            }
            let sleep = machine.poll_timeout().map_or(LONGEST_SLEEP, |at| {
                at.saturating_duration_since((self.clock)())
                    .min(LONGEST_SLEEP)
            });
            let input = tokio::select! {
                biased;
                Some(answer) = running.join_next() => match answer {
                    Ok(Ok(Answer::Input(input))) => input,
                    Ok(Ok(Answer::Duty(input, duty, Ok(())))) => {
                        done = Some(duty);
                        input
                    }
                    Ok(Ok(Answer::Duty(input, duty, failed))) => {
                        if let Some(event) = duties.record(duty, failed) {
                            self.report(&mut log, event);
                        }
                        input
                    }
                    Ok(Ok(Answer::GuardFailed(error))) => return Err(OperatorError::Guard(error)),
                    Ok(Err(duty)) => {
                        let limit = self.limits.job.as_millis();
                        tracing::error!(timeout_ms = limit, "a call to the node timed out");
                        let reason = format!("no answer within {limit} ms");
                        let failure = duty.and_then(|duty| duties.record(duty, Err(reason)));
                        if let Some(event) = failure {
                            self.report(&mut log, event);
                        }
                        Input::Tick
                    }
                    Err(error) => return Err(OperatorError::Task(error.to_string())),
                },
                Some(ended) = publishing.join_next() => match ended {
                    Ok(Ok(())) => return Err(OperatorError::Task("publisher".to_owned())),
                    Ok(Err(error)) => return Err(error.into()),
                    Err(error) => return Err(OperatorError::Task(error.to_string())),
                },
                () = tokio::time::sleep(sleep) => Input::Tick,
                arrival = self.wire.recv() => {
                    let arrival = arrival?;
                    Input::Received { from: arrival.from, message: arrival.message }
                }
            };
            machine.handle((self.clock)(), input);
        }
    }

    fn report(&self, log: &mut log::Log, event: Event) {
        log.event(&event);
        if let Some(events) = &self.events {
            // The reader may be gone.
            let _ = events.send(event);
        }
    }
}

/// Passes messages to the wire in order, concurrently with the driver's loop.
async fn publish(
    wire: Arc<dyn Wire>,
    mut messages: mpsc::Receiver<Message>,
    limit: Duration,
) -> Result<(), WireError> {
    while let Some(message) = messages.recv().await {
        match tokio::time::timeout(limit, wire.publish(&message)).await {
            Ok(published) => published?,
            Err(_) => tracing::error!(
                timeout_ms = limit.as_millis(),
                "the wire did not accept a message"
            ),
        }
    }
    Ok(())
}
