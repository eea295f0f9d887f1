//! The loop that drives the machine.

mod blocks;
mod ingress;
mod jobs;
mod peers;
mod watcher;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use federation_block_signing::{
    Alarm, Body, Event, Input, Machine, Message, Output, Record, SignedMessage, Tip,
};
use federation_chain::BlockHeight;
use federation_messenger::Messenger;
use federation_roster::{Federation, OperatorId, Round};
use federation_signer::IdentitySigner;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{
    ingress::{Dropped, Ingress, envelope_of},
    jobs::Jobs,
    peers::Peers,
    watcher::{Hints, Watcher},
};
use crate::{
    Clock, Counters, NodeState, Operator, OperatorError, OperatorEvent, OperatorHandle,
    OperatorStatus, Store, StoreError, log::Log,
};

/// How many events a slow reader may lag behind.
const EVENTS: usize = 1024;
/// How many checked frames may wait for the machine; a full queue makes the messenger wait, which
/// drops by its own rules.
const INPUTS: usize = 1024;
/// The longest sleep, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// What comes in from outside the loop.
pub(crate) enum Incoming {
    Message {
        sender: OperatorId,
        input: Input,
        /// Held until the machine has it: a place among the large frames under way.
        room: Option<OwnedSemaphorePermit>,
    },
    Dropped(Dropped),
    Tip(Tip),
    Node(NodeState),
}

/// Starts the loop and its helpers.
pub(crate) fn spawn(operator: Operator, machine: Machine) -> OperatorHandle {
    let stop = CancellationToken::new();
    let (events, _) = broadcast::channel(EVENTS);
    let first = machine.status();
    let (status_sender, status) = watch::channel(OperatorStatus {
        height: first.height,
        round: first.round,
        leader: first.leader,
        phase: first.phase,
        observing: first.observing,
        tip: None,
        node: NodeState::Unknown,
        peers: std::collections::BTreeMap::new(),
        counters: Counters::default(),
        last_alarm: None,
    });
    let log = Arc::new(Log::new(operator.federation.clone()));
    let engine = Engine {
        machine,
        jobs: Jobs {
            federation: operator.federation.clone(),
            node: operator.node.clone(),
            signer: operator.signer,
            policy: operator.policy,
            log: log.clone(),
        },
        peers: Peers::new(&operator.federation, operator.me),
        log,
        federation: operator.federation,
        me: operator.me,
        identity: operator.identity,
        messenger: operator.messenger,
        store: Arc::new(operator.store),
        clock: operator.clock,
        events: events.clone(),
        status: status_sender,
        height: Arc::new(AtomicU32::new(0)),
        hints: Arc::new(Hints::default()),
        running: JoinSet::new(),
        pending: VecDeque::new(),
        node: operator.node,
        twin: None,
    };
    let task = tokio::spawn(engine.run(stop.clone()));
    OperatorHandle {
        status,
        events,
        stop,
        task: Some(task),
    }
}

struct Engine {
    machine: Machine,
    jobs: Jobs,
    log: Arc<Log>,
    peers: Peers,
    federation: Arc<Federation>,
    me: OperatorId,
    identity: Arc<dyn IdentitySigner>,
    messenger: Arc<dyn Messenger>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    events: broadcast::Sender<OperatorEvent>,
    status: watch::Sender<OperatorStatus>,
    /// The height that the machine works on, for the ingress.
    height: Arc<AtomicU32>,
    /// For the watcher.
    hints: Arc<Hints>,
    /// Calls to node and signer that have not answered yet.
    running: JoinSet<Input>,
    /// Inputs that arose while handling others.
    pending: VecDeque<Input>,
    node: Arc<dyn federation_ocean_rpc::Node>,
    /// Where another daemon was heard that speaks for this operator.
    twin: Option<(BlockHeight, Round)>,
}

impl Engine {
    async fn run(mut self, stop: CancellationToken) -> Result<(), OperatorError> {
        let (sender, mut inputs) = mpsc::channel(INPUTS);
        let mut helpers = JoinSet::new();
        let ingress = Ingress::new(self.federation.clone(), self.height.clone());
        let messenger = self.messenger.clone();
        let to_engine = sender.clone();
        helpers.spawn(async move { ingress.run(messenger, to_engine).await });
        let watcher = Watcher {
            node: self.node.clone(),
            inputs: sender,
            genesis: self.federation.genesis(),
            hints: self.hints.clone(),
            idle: Watcher::idle_for(self.federation.interval()),
        };
        helpers.spawn(async move {
            watcher.run().await;
            Ok(())
        });
        let result = loop {
            let sleep = self.time_to_sleep();
            if sleep.is_zero() {
                // Before the next frame: a flood of frames must not hold up the clock.
                self.pending.push_back(Input::Tick);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(ended) = helpers.join_next() => break match ended {
                    Ok(Ok(())) => Err(OperatorError::Task("a helper".to_owned())),
                    Ok(Err(error)) => Err(error.into()),
                    Err(error) => Err(OperatorError::Task(error.to_string())),
                },
                Some(done) = self.running.join_next() => match done {
                    Ok(input) => self.pending.push_back(input),
                    Err(error) => break Err(OperatorError::Task(error.to_string())),
                },
                Some(incoming) = inputs.recv() => self.note(incoming),
                () = tokio::time::sleep(sleep) => {
                    self.peers.look(&self.federation);
                    self.pending.push_back(Input::Tick);
                }
            }
            if let Err(error) = self.work().await {
                tracing::error!(%error, "the store failed: nothing is said or signed any more");
                break Err(error.into());
            }
            if let Some((height, round)) = self.twin {
                tracing::error!(%height, %round, "another daemon speaks for this operator: nothing is said or signed any more");
                break Err(OperatorError::Twin { height, round });
            }
        };
        self.messenger.close().await;
        self.running.shutdown().await;
        helpers.shutdown().await;
        tracing::info!(operator = %self.federation.name(self.me), "operator stopped");
        result
    }

    fn time_to_sleep(&self) -> Duration {
        self.machine.poll_timeout().map_or(LONGEST_SLEEP, |at| {
            at.since(self.clock.now()).min(LONGEST_SLEEP)
        })
    }

    /// Takes note of what came in, and makes inputs of it.
    fn note(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Message {
                sender,
                input,
                room,
            } => {
                let now = self.clock.now();
                self.status.send_modify(|status| {
                    status.counters.accepted += 1;
                    self.peers
                        .note(sender, &input, now, &mut status.peers, &self.federation);
                });
                self.pending.push_back(input);
                drop(room);
            }
            Incoming::Dropped(why) => {
                self.log.complaint("a frame was dropped", why.as_str());
                self.status.send_modify(|status| {
                    let counters = &mut status.counters;
                    *match why {
                        Dropped::Undecodable => &mut counters.undecodable,
                        Dropped::ForeignFederation => &mut counters.foreign_federation,
                        Dropped::UnknownSender => &mut counters.unknown_sender,
                        Dropped::FarHeight => &mut counters.far_height,
                        Dropped::TooLarge => &mut counters.too_large,
                        Dropped::BadSignature => &mut counters.bad_signature,
                        Dropped::BadBody => &mut counters.bad_body,
                    } += 1;
                });
            }
            Incoming::Tip(tip) => {
                self.peers.look(&self.federation);
                // Known before the machine is told, so that the next height's messages pass.
                self.height
                    .store(tip.height.next().to_u32(), Ordering::Relaxed);
                self.status
                    .send_modify(|status| status.tip = Some((tip.height, tip.hash)));
                self.tell(OperatorEvent::Tip {
                    height: tip.height,
                    hash: tip.hash,
                });
                self.pending.push_back(Input::Tip(tip));
            }
            Incoming::Node(state) => {
                match &state {
                    NodeState::Down(reason) => tracing::warn!(reason, "the node does not answer"),
                    _ => tracing::info!("the node answers"),
                }
                self.status
                    .send_modify(|status| status.node = state.clone());
                self.tell(OperatorEvent::Node(state));
            }
        }
    }

    /// Handles all pending inputs and does what the machine asks.
    async fn work(&mut self) -> Result<(), StoreError> {
        while let Some(input) = self.pending.pop_front() {
            self.machine.handle(self.clock.now(), input);
            let mut records = Vec::new();
            let mut rest = Vec::new();
            let mut forget = None;
            while let Some(output) = self.machine.poll_output() {
                match output {
                    Output::Persist(record) => records.push(record),
                    Output::Forget { below } => forget = Some(below),
                    other => rest.push(other),
                }
            }
            if let Err(error) = self.persist(records, forget).await {
                self.machine.handle(self.clock.now(), Input::StoreFailed);
                return Err(error);
            }
            for output in rest {
                self.act(output).await?;
            }
        }
        let now = self.machine.status();
        self.status.send_if_modified(|status| {
            let before = (status.height, status.round, status.phase, status.observing);
            status.height = now.height;
            status.round = now.round;
            status.leader = now.leader;
            status.phase = now.phase;
            status.observing = now.observing;
            before != (now.height, now.round, now.phase, now.observing)
        });
        Ok(())
    }

    async fn persist(
        &self,
        records: Vec<Record>,
        forget: Option<BlockHeight>,
    ) -> Result<(), StoreError> {
        // What may be forgotten goes with the next write: it has no hurry of its own.
        if records.is_empty() && forget.is_none() {
            return Ok(());
        }
        let store = self.store.clone();
        on_disk(move || store.write(&records, forget)).await
    }

    /// Does one thing that the machine asks, everything before it being durable.
    async fn act(&mut self, output: Output) -> Result<(), StoreError> {
        match output {
            // Taken out before.
            Output::Persist(_) | Output::Forget { .. } => {}
            Output::Send(message) => self.send(message).await,
            Output::RequestTemplate { height, round } => {
                self.job("template", height, move |jobs| async move {
                    jobs.template(height, round).await
                });
            }
            Output::TestBlock { candidate } => {
                self.job("test", candidate.height, move |jobs| async move {
                    jobs.test(candidate).await
                });
            }
            Output::SignBlock { candidate } => {
                self.job("sign", candidate.height, move |jobs| async move {
                    jobs.sign(candidate).await
                });
            }
            Output::Submit {
                candidate,
                signatures,
            } => {
                let hints = self.hints.clone();
                self.job("submit", candidate.height, move |jobs| async move {
                    let input = jobs.submit(candidate, signatures).await;
                    hints.submitted.notify_one();
                    input
                });
            }
            Output::Evidence(evidence) => {
                let culprit = evidence.first.sender;
                let height = evidence.first.message.height();
                tracing::error!(
                    operator = %self.federation.name(culprit),
                    %height,
                    "evidence: two messages that contradict each other"
                );
                self.status
                    .send_modify(|status| status.counters.evidence += 1);
                self.tell(OperatorEvent::Evidence { culprit, height });
                let store = self.store.clone();
                on_disk(move || store.keep_evidence(&evidence)).await?;
            }
            Output::Event(event) => {
                if matches!(event, Event::TakingPart { .. }) {
                    let store = self.store.clone();
                    on_disk(move || store.set_observing(false)).await?;
                }
                self.happened(event);
            }
        }
        Ok(())
    }

    fn happened(&mut self, event: Event) {
        self.log.event(&event);
        match &event {
            Event::RoundStarted { height, round, .. } => self.peers.round_began(*height, *round),
            Event::Decided { .. } => self.hints.decided.notify_one(),
            Event::HeightFinished(report) => {
                let (signer, height) = (self.jobs.signer.clone(), report.height);
                // Closing the height in the guard has no hurry: it refuses a second hash anyway.
                tokio::spawn(async move {
                    if let Err(error) = signer.raise_final(height).await {
                        tracing::warn!(%error, %height, "the guard could not close a height");
                    }
                });
            }
            Event::Alarm(alarm) => {
                if let Alarm::OwnMessageFromElsewhere { height, round } = alarm {
                    self.twin = Some((*height, *round));
                }
                self.status
                    .send_modify(|status| status.last_alarm = Some(alarm.clone()));
            }
            _ => {}
        }
        self.tell(OperatorEvent::Protocol(event));
    }

    async fn send(&mut self, message: Message) {
        let parts = message.to_parts();
        let unsigned = envelope_of(&self.federation, self.me, &parts);
        let signature = match self.identity.sign_envelope(unsigned.signing_digest()).await {
            Ok(signature) => signature,
            Err(error) => {
                // It is repeated at the machine's beat.
                tracing::error!(%error, "the identity key did not sign a message");
                return;
            }
        };
        let frame = unsigned.with_signature(signature).encode();
        if let Err(error) = self.messenger.broadcast(frame).await {
            tracing::warn!(%error, "a message was not sent");
        }
        if !matches!(message, Message::Body(Body { .. })) {
            self.pending.push_back(Input::Received(SignedMessage {
                sender: self.me,
                message,
                signature: federation_block_signing::IdentitySignature::from_bytes(signature),
            }));
        }
    }

    /// Runs a call beside the loop; its answer comes back as an input.
    fn job<F>(&mut self, what: &'static str, height: BlockHeight, call: impl FnOnce(Jobs) -> F)
    where
        F: Future<Output = Input> + Send + 'static,
    {
        let call = call(self.jobs.clone());
        let events = self.events.clone();
        self.running.spawn(async move {
            let begun = tokio::time::Instant::now();
            let input = call.await;
            // Nobody may be listening.
            let _ = events.send(OperatorEvent::NodeCall {
                what,
                height,
                took: begun.elapsed(),
            });
            input
        });
    }

    fn tell(&self, event: OperatorEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

/// Writes where blocking is no harm; a write that was interrupted counts as failed.
async fn on_disk(
    write: impl FnOnce() -> Result<(), StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    tokio::task::spawn_blocking(write)
        .await
        .unwrap_or_else(|error| Err(StoreError::Interrupted(error.to_string())))
}
