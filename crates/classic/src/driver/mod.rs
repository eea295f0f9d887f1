//! The machine with a node, a wire, a signer, the guard and a clock.

mod jobs;
mod log;
mod shares;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use federation_chain::{BlockHeight, UnixTime};
use federation_ocean_rpc::Node;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    jobs::{Answer, Jobs},
    shares::Shares,
};
use crate::{
    BlockSigner, Config, Event, Input, LIMITS, Machine, Message, Output, Reissuer, Share,
    TurnGuard, TurnGuardError,
    wire::{Wire, WireError},
};

/// The longest sleep, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// How often the node is asked, at the most, whether the last height of this protocol is there.
const WATCH: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How many messages may wait for a wire that is slow to take them.
const OUTGOING: usize = 64;
/// How long the wire may take to close.
const END: Duration = Duration::from_secs(3);

/// How long calls of what an operator was given may take. What overruns is given up, and costs the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLimits {
    /// A signature, 15 s if not set: longer than a hardware module waits itself.
    pub key: Duration,
    /// To find out what is to be reissued, or to sign it, 5 s if not set: after that a block goes without.
    pub reissuer: Duration,
    /// A question to node, key and reissuer as a whole, 120 s if not set.
    pub job: Duration,
    /// To hand a message to the wire, 5 s if not set.
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

/// A clock of unix time.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The computer's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// Why an operator stopped by itself. What passes by itself, a node or peer that is away, stops it
/// not.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// What is signed cannot be remembered.
    #[error("the guard cannot remember what is signed: {0}")]
    Guard(#[source] TurnGuardError),
    /// The wire is beyond repair.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A task of the program failed.
    #[error("a task ended: {0}")]
    Task(String),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the caller goes on differently")]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// The chain has come to the height below the one that [`Config::until`] set.
    Reached,
}

/// Everything that makes an operator of the old federation.
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
    /// An operator of these parts, with the computer's clock.
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

    /// Sets another clock than the computer's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long calls may take.
    #[must_use]
    pub const fn with_limits(mut self, limits: CallLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Tells what happens to this reader too.
    #[must_use]
    pub fn with_events(mut self, events: mpsc::UnboundedSender<Event>) -> Self {
        self.events = Some(events);
        self
    }

    /// Runs until it is told to stop, or the protocol ends. The wire is closed then.
    ///
    /// # Errors
    /// If it cannot go on.
    pub async fn run(self, stop: CancellationToken) -> Result<Ended, OperatorError> {
        tracing::warn!("{LIMITS}");
        tracing::info!(
            operator = self.config.me(),
            operators = self.config.schedule().operators(),
            threshold = self.config.rules().script().threshold().to_u8(),
            interval = ?self.config.schedule().interval(),
            dialect = %self.config.rules().dialect(),
            "classic operator starts"
        );
        let wire = self.wire.clone();
        let result = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(Ended::Stopped),
            () = self.watch() => Ok(Ended::Reached),
            result = self.drive() => result,
        };
        if tokio::time::timeout(END, wire.close()).await.is_err() {
            tracing::warn!("the wire does not close, and is left behind");
        }
        tracing::info!(ended = ?result.as_ref().ok(), "classic operator stopped");
        result
    }

    /// Ends when the last height of this protocol is there.
    async fn watch(&self) {
        let Some(last) = self.until.and_then(BlockHeight::previous) else {
            return core::future::pending().await;
        };
        let pause = (self.config.schedule().interval() / 20).clamp(WATCH.0, WATCH.1);
        loop {
            // A node that is away is told of at the beginning of a turn.
            if matches!(self.node.block_count().await, Ok(height) if height >= last) {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn drive(&self) -> Result<Ended, OperatorError> {
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
        let mut running: JoinSet<Result<Answer, Option<Share>>> = JoinSet::new();
        let (to_wire, outgoing) = mpsc::channel(OUTGOING);
        let mut publishing = JoinSet::new();
        publishing.spawn(publish(self.wire.clone(), outgoing, self.limits.wire));
        let mut log = log::Log::default();
        let mut shares = Shares::default();
        // A share that was done, unless the machine says that it came too late.
        let mut done = None;
        machine.handle((self.clock)(), Input::Tick);
        loop {
            while let Some(output) = machine.poll_output() {
                match output {
                    Output::Event(event) => {
                        let missed = match &event {
                            Event::TooLate { share, .. } => {
                                done = None;
                                shares.note(*share, Err("it came too late".to_owned()))
                            }
                            _ => None,
                        };
                        self.tell(&mut log, event);
                        if let Some(event) = missed {
                            self.tell(&mut log, event);
                        }
                    }
                    Output::Publish(message) => {
                        // It is worth nothing later: a turn is short.
                        if to_wire.try_send(message).is_err() {
                            tracing::error!("the wire takes no messages: one is dropped");
                        }
                    }
                    Output::Finish { .. } => return Ok(Ended::Reached),
                    job => {
                        let (jobs, limit) = (jobs.clone(), self.limits.job);
                        let share = match &job {
                            Output::TestBlock { .. } => Some(Share::Test),
                            Output::SignBlock { .. } => Some(Share::Sign),
                            _ => None,
                        };
                        running.spawn(async move {
                            let answer = tokio::time::timeout(limit, jobs.run(job)).await;
                            answer.map_err(|_| share)
                        });
                    }
                }
            }
            if let Some(share) = done.take()
                && let Some(event) = shares.note(share, Ok(()))
            {
                self.tell(&mut log, event);
            }
            let sleep = machine.poll_timeout().map_or(LONGEST_SLEEP, |at| {
                at.since((self.clock)()).min(LONGEST_SLEEP)
            });
            let input = tokio::select! {
                biased;
                Some(answer) = running.join_next() => match answer {
                    Ok(Ok(Answer::Input(input))) => input,
                    Ok(Ok(Answer::Share(input, share, Ok(())))) => {
                        done = Some(share);
                        input
                    }
                    Ok(Ok(Answer::Share(input, share, failed))) => {
                        if let Some(event) = shares.note(share, failed) {
                            self.tell(&mut log, event);
                        }
                        input
                    }
                    Ok(Ok(Answer::GuardFailed(error))) => return Err(OperatorError::Guard(error)),
                    Ok(Err(share)) => {
                        let limit = self.limits.job;
                        tracing::error!(?limit, "a question to the node was given up: no answer");
                        let why = format!("given up after {limit:?}");
                        let missed = share.and_then(|share| shares.note(share, Err(why)));
                        if let Some(event) = missed {
                            self.tell(&mut log, event);
                        }
                        Input::Tick
                    }
                    Err(error) => return Err(OperatorError::Task(error.to_string())),
                },
                Some(ended) = publishing.join_next() => match ended {
                    Ok(Ok(())) => return Err(OperatorError::Task("publishing".to_owned())),
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

    fn tell(&self, log: &mut log::Log, event: Event) {
        log.event(&event);
        if let Some(events) = &self.events {
            // Nobody may be reading any more.
            let _ = events.send(event);
        }
    }
}

/// Hands messages to the wire in their order, beside the loop.
async fn publish(
    wire: Arc<dyn Wire>,
    mut messages: mpsc::Receiver<Message>,
    limit: Duration,
) -> Result<(), WireError> {
    while let Some(message) = messages.recv().await {
        match tokio::time::timeout(limit, wire.publish(&message)).await {
            Ok(published) => published?,
            Err(_) => tracing::error!(?limit, "the wire did not take a message"),
        }
    }
    Ok(())
}
