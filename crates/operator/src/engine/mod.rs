//! The loop that drives the machine.

mod block_tests;
mod blocks;
mod broadcaster;
mod catch_up;
mod duties;
mod incoming;
mod ingress;
mod jobs;
mod outbox;
mod outputs;
mod peers;
mod standstill;
mod troubles;
mod watcher;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, atomic::AtomicU32},
    time::Duration,
};

use federation_block_signing::{Alarm, Event, Input, Machine, Part};
use federation_chain::BlockHeight;
use federation_roster::{Federation, OperatorId};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::{
    block_tests::BlockTests,
    catch_up::{CatchUp, PeerHeights},
    duties::DutyTracker,
    incoming::Incoming,
    ingress::Ingress,
    jobs::{JobResult, Jobs, with_causes},
    outbox::{Outbox, OutboxQueue, SendReport},
    peers::Peers,
    standstill::{Links, StandstillWatch},
    watcher::{Hints, Watcher},
};
pub(crate) use self::{
    broadcaster::{BroadcastError, Broadcaster},
    ingress::{REISSUANCE, ReissuanceFrame},
};
use crate::{
    Clock, Counters, NodeState, Operator, OperatorError, OperatorEvent, OperatorHandle,
    OperatorStatus, Store, StoreError,
    calls::{Answering, Calls},
    log::Log,
    reissuance::{Parts, Task},
    start::StartState,
    store::on_disk,
};

/// How many events a slow subscriber may lag behind before it misses some.
const EVENTS: usize = 1024;
/// How many checked frames may wait for the machine. A full queue makes the messenger wait, which
/// then drops frames by its own rules.
const INPUTS: usize = 1024;
/// How many reissuance messages may wait; operators repeat them at each block.
const REISSUANCES: usize = 64;
/// How many alarms may wait. More than these would tell people nothing new.
const ALARMS: usize = 64;
/// The longest sleep, so that a change of the system clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// How long tasks and the messenger may take to end. A task that blocks its thread is abandoned.
const END: Duration = Duration::from_secs(3);

/// Makes the calls of an operator's parts, and receives the reports on how they answer.
pub(crate) struct Watched {
    pub(crate) calls: Arc<Calls>,
    pub(crate) reports: mpsc::UnboundedReceiver<(Part, Answering)>,
}

/// Starts the loop and its helper tasks.
///
/// # Errors
/// If the stored reissuance state cannot be read.
pub(crate) fn spawn(
    operator: Operator,
    machine: Machine,
    begin: StartState,
    watched: Watched,
) -> Result<OperatorHandle, StoreError> {
    let Watched { calls, reports } = watched;
    let stop = CancellationToken::new();
    let (events, from_start) = broadcast::channel(EVENTS);
    let first = machine.status();
    let (status_sender, status) = watch::channel(OperatorStatus {
        height: first.height,
        round: first.round,
        leader: first.leader,
        phase: first.phase,
        observing: first.observing,
        tip: None,
        tip_time: None,
        tip_signers: Vec::new(),
        standstill: None,
        node: NodeState::Unknown,
        peers: BTreeMap::new(),
        counters: Counters::default(),
        last_alarm: None,
        troubles: BTreeMap::new(),
    });
    let broadcaster = Broadcaster {
        federation: operator.federation.clone(),
        me: operator.me,
        identity: operator.identity,
        messenger: operator.messenger,
        calls: calls.clone(),
    };
    let (differences, reissuance_differences) = watch::channel(BTreeMap::new());
    let (reissuances, reissuance_status, reissuing) = match operator.reissuance {
        Some(reissuance) => {
            let (sender, frames) = mpsc::channel(REISSUANCES);
            let (status_sender, reissuance_status) = watch::channel(Vec::new());
            let parts = Parts {
                broadcaster: broadcaster.clone(),
                operator: status.clone(),
                frames,
                events: events.clone(),
                status: status_sender,
                differences,
                calls: calls.clone(),
            };
            let task = Task::new(reissuance, parts)?;
            (Some(sender), reissuance_status, Some(task))
        }
        None => (None, watch::channel(Vec::new()).1, None),
    };
    let log = Arc::new(Log::new(operator.federation.clone()));
    let (failed, failures) = mpsc::unbounded_channel();
    let (alarm_sender, alarms) = mpsc::channel(ALARMS);
    let standstill = StandstillWatch::new(machine.config(), Instant::now(), operator.clock.now());
    let height = Arc::new(AtomicU32::new(0));
    let queue = Arc::new(OutboxQueue::default());
    let (to_engine, send_reports) = mpsc::unbounded_channel();
    let outbox = Outbox::new(queue.clone(), broadcaster.clone(), to_engine, log.clone());
    let duties = DutyTracker::new(
        operator.options.missed_blocks(),
        operator.federation.interval(),
    );
    let (closed, to_close) = watch::channel(None);
    let links = Links::new(&broadcaster, log.clone());
    let engine = Engine {
        machine,
        jobs: Jobs {
            federation: operator.federation.clone(),
            node: operator.node.clone(),
            signer: operator.signer,
            policy: operator.policy,
            log: log.clone(),
            failed,
            alarms: alarm_sender.clone(),
            calls: calls.clone(),
            height: height.clone(),
        },
        peers: Peers::new(&operator.federation, operator.me),
        standstill,
        links,
        peer_heights: Arc::new(PeerHeights::default()),
        log,
        federation: operator.federation,
        me: operator.me,
        broadcaster,
        store: Arc::new(operator.store),
        clock: operator.clock,
        events: events.clone(),
        status: status_sender,
        height,
        hints: Arc::new(Hints::default()),
        running: JoinSet::new(),
        block_tests: BlockTests::default(),
        pending: VecDeque::new(),
        node: operator.node,
        failures,
        end: None,
        reissuances,
        alarms,
        alarm_sender,
        reissuing: JoinSet::new(),
        outbox: queue,
        send_reports,
        duties,
        reports,
        closed,
    };
    let mut engine = engine;
    let tasks = calls.tasks().clone();
    if let Some(task) = reissuing {
        let task = task.run().in_current_span();
        engine.reissuing.spawn(tasks.track_future(task));
    }
    let mut helpers = JoinSet::new();
    let send = async move {
        outbox.run().await;
        Ok(())
    };
    helpers.spawn(tasks.track_future(send.in_current_span()));
    let jobs = engine.jobs.clone();
    let close = async move {
        jobs.close_heights(to_close).await;
        Ok(())
    };
    helpers.spawn(tasks.track_future(close.in_current_span()));
    let guard = engine.jobs.signer.in_use();
    let running = engine.run(stop.clone(), begin, helpers).in_current_span();
    let task = tokio::spawn(tasks.track_future(running));
    Ok(OperatorHandle {
        status,
        reissuance: reissuance_status,
        reissuance_differences,
        events,
        from_start: Mutex::new(Some(from_start)),
        stop,
        task: Some(task),
        tasks,
        guard,
    })
}

struct Engine {
    machine: Machine,
    jobs: Jobs,
    log: Arc<Log>,
    peers: Peers,
    standstill: StandstillWatch,
    /// Which operators are connected, as long as that matters.
    links: Links,
    /// The heights at which other operators are heard, as long as that matters.
    peer_heights: Arc<PeerHeights>,
    federation: Arc<Federation>,
    me: OperatorId,
    broadcaster: Broadcaster,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    events: broadcast::Sender<OperatorEvent>,
    status: watch::Sender<OperatorStatus>,
    /// The height the machine works on, for the ingress.
    height: Arc<AtomicU32>,
    /// Tells the watcher when the node's best block may have changed.
    hints: Arc<Hints>,
    /// Calls of node and signer that have not returned yet.
    running: JoinSet<JobResult>,
    /// Which block the node is testing, and which one waits.
    block_tests: BlockTests,
    /// Inputs that arose while others were being handled.
    pending: VecDeque<Input>,
    node: Arc<dyn federation_ocean_rpc::Node>,
    /// Errors of jobs outside the loop that end the operator.
    failures: mpsc::UnboundedReceiver<OperatorError>,
    /// An error found in the loop that ends the operator.
    end: Option<OperatorError>,
    /// Where reissuance messages go.
    reissuances: Option<mpsc::Sender<ReissuanceFrame>>,
    /// Alarms raised by the ingress and by jobs.
    alarms: mpsc::Receiver<Alarm>,
    alarm_sender: mpsc::Sender<Alarm>,
    /// The reissuance task. If its store fails, the operator ends; the next start opens the store
    /// anew.
    reissuing: JoinSet<Result<(), StoreError>>,
    /// Messages to be signed and sent.
    outbox: Arc<OutboxQueue>,
    /// What became of them.
    send_reports: mpsc::UnboundedReceiver<SendReport>,
    /// Whether this operator fulfils its duties.
    duties: DutyTracker,
    /// How the operator's parts answer.
    reports: mpsc::UnboundedReceiver<(Part, Answering)>,
    /// The height up to which the guard is to be closed.
    closed: watch::Sender<Option<BlockHeight>>,
}

type Helpers = JoinSet<Result<(), OperatorError>>;

impl Engine {
    async fn run(
        mut self,
        stop: CancellationToken,
        begin: StartState,
        mut helpers: Helpers,
    ) -> Result<(), OperatorError> {
        let (sender, mut inputs) = mpsc::channel(INPUTS);
        let tasks = self.jobs.calls.tasks().clone();
        let ingress = Ingress::new(self.federation.clone(), self.height.clone())
            .with_peer_heights(self.peer_heights.clone())
            .with_reissuances(self.reissuances.take())
            .with_alarms(self.alarm_sender.clone());
        let messenger = self.broadcaster.messenger.clone();
        let to_engine = sender.clone();
        let receive = async move { Ok(ingress.run(messenger, to_engine).await?) };
        helpers.spawn(tasks.track_future(receive.in_current_span()));
        let watcher = Watcher {
            node: self.node.clone(),
            inputs: sender,
            genesis: self.federation.genesis(),
            hints: self.hints.clone(),
            idle: Watcher::idle_for(self.federation.interval()),
            fresh_since: begin.fresh.then(|| self.clock.now()),
            history: begin.history,
            catch_up: CatchUp::new(&self.federation, self.me),
            peer_heights: self.peer_heights.clone(),
            height: self.height.clone(),
            clock: self.clock.clone(),
        };
        helpers.spawn(tasks.track_future(watcher.run().in_current_span()));
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
                    Ok(Ok(())) => Err(OperatorError::Task("a helper task returned".to_owned())),
                    Ok(Err(error)) => Err(error),
                    Err(error) => Err(OperatorError::Task(error.to_string())),
                },
                Some(error) = self.failures.recv() => break Err(error),
                Some(ended) = self.reissuing.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => break Err(error.into()),
                    Err(error) => break Err(OperatorError::Task(error.to_string())),
                },
                Some(done) = self.running.join_next() => match done {
                    Ok(answer) => self.on_job_result(answer),
                    Err(error) => break Err(OperatorError::Task(error.to_string())),
                },
                Some(report) = self.send_reports.recv() => self.on_send_report(report),
                Some((part, answering)) = self.reports.recv() => self.on_answering(part, answering),
                Some(alarm) = self.alarms.recv() => self.on_event(Event::Alarm(alarm)),
                Some(incoming) = inputs.recv() => self.on_incoming(incoming),
                () = tokio::time::sleep(sleep) => {
                    self.peers.log_silent(&self.federation);
                    self.pending.push_back(Input::Tick);
                }
            }
            if let Err(error) = self.work().await {
                break Err(error.into());
            }
            if let Some(error) = self.end.take() {
                break Err(error);
            }
            // Not in the branch of time alone: a flood of frames must not hold them up.
            let changes = self.duties.check_stuck();
            self.report_changes(changes);
            self.check_standstill();
        };
        if let Err(error) = &result {
            tracing::error!(
                error = with_causes(error),
                "operator failed: nothing is sent or signed any more"
            );
        }
        // First of all, nothing may be sent any more. Then the halt is stored, before anything is
        // waited for: a halt counts only once it is on disk.
        self.abort(&mut helpers);
        self.store_halt(&result).await;
        self.end(helpers).await;
        tracing::info!("operator stopped");
        result
    }

    /// Stops everything outside the loop at its next await point.
    fn abort(&mut self, helpers: &mut Helpers) {
        helpers.abort_all();
        self.reissuing.abort_all();
        self.running.abort_all();
    }

    /// Stores the error that ended the operator, if a later start must not get past it.
    async fn store_halt(&self, result: &Result<(), OperatorError>) {
        let halt = result.as_ref().err();
        let Some(halt) = halt.and_then(|error| error.halt(self.clock.now())) else {
            return;
        };
        tracing::error!(%halt, "operator halted: it does not start again before `federation guard resume`");
        let store = self.store.clone();
        let written = on_disk(self.jobs.calls.tasks(), move || store.write_halt(halt));
        if let Err(error) = written.await {
            tracing::error!(%error, "halt not stored: do not start the operator again");
        }
    }

    /// Waits for everything outside the loop. What does not end is logged and abandoned: a key that
    /// blocks its thread must not keep the operator from stopping.
    async fn end(&mut self, mut helpers: Helpers) {
        let messenger = self.broadcaster.messenger.clone();
        let close = async move { messenger.close().await };
        let closing = tokio::spawn(close.in_current_span());
        if tokio::time::timeout(END, closing).await.is_err() {
            tracing::warn!("messenger does not close: abandoned");
        }
        while helpers.try_join_next().is_some() {}
        let ended = async {
            while helpers.join_next().await.is_some() {}
            while self.reissuing.join_next().await.is_some() {}
            while self.running.join_next().await.is_some() {}
        };
        if tokio::time::timeout(END, ended).await.is_err() {
            tracing::warn!("calls of a key, the policy or the node block their threads: abandoned");
        }
    }

    fn time_to_sleep(&self) -> Duration {
        self.machine.poll_timeout().map_or(LONGEST_SLEEP, |at| {
            at.saturating_duration_since(self.clock.now())
                .min(LONGEST_SLEEP)
        })
    }
}
