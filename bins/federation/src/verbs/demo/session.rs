//! The course of the demo: events of the federation, and actions on it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use federation_block_signing::{Alarm, Event, HeightReport, Phase};
use federation_chain::BlockHeight;
use federation_cli::CliError;
use federation_local::{EventPump, LocalEvent, LocalEventKind, LocalFederation};
use federation_ocean_rpc::Amount;
use federation_operator::{NodeState, OperatorEvent};
use federation_reissuance::AssetSettings;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    block, clients,
    inflation::Inflation,
    state::{BlockRow, DemoState, SharedState},
};
use crate::local;

/// How often to check whether the demo has ended.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The number of blocks after which an operator is killed, and the number after which it restarts.
const CRASH_AFTER: u32 = 4;
const RESTART_AFTER: u32 = 5;

/// An event of the demo's clients.
pub(crate) enum ClientEvent {
    /// What they did, in words.
    Acted(String),
    /// They have stopped because of an error.
    Stopped(String),
    /// They have issued an asset whose tokens belong to the federation.
    Issued(Box<AssetSettings>),
}

/// What the demo does in addition to making blocks.
pub(crate) struct DemoOptions {
    /// Kill an operator and restart it.
    pub(crate) crash: bool,
    /// Reissue an asset.
    pub(crate) inflation: Option<Inflation>,
}

/// A command of the user, for an operator by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserCommand {
    Stop(usize),
    Restart(usize),
    Kill(usize),
    /// Cut its link to the next operator that it is still linked to.
    Cut(usize),
    /// Heal all its links.
    Heal(usize),
}

/// Why the demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Quit,
    /// Stopped by a signal.
    Stopped,
    StoodStill,
}

/// A running demo.
pub(crate) struct Session {
    pub(super) federation: LocalFederation,
    pub(crate) shared: SharedState,
    /// The operators' events.
    operators: EventPump,
    /// The clients' events.
    client_events: mpsc::Receiver<ClientEvent>,
    clients: JoinHandle<()>,
    /// The operators that must still restart to load the asset.
    to_restart: VecDeque<usize>,
    /// The failures that the user did not cause.
    failures: Vec<String>,
    crash: bool,
    victim: Option<(usize, u32)>,
    restarted: bool,
    blocks: Option<u32>,
    interval: Duration,
    first_height: Option<u32>,
    /// What the federation reissues, once issued.
    reissued: Option<AssetSettings>,
    /// The height of the last reissuance.
    last_point: Option<BlockHeight>,
}

impl Session {
    pub(crate) fn new(
        federation: LocalFederation,
        state: DemoState,
        options: DemoOptions,
        blocks: Option<u32>,
        interval: Duration,
    ) -> Self {
        let (sender, client_events) = mpsc::channel(64);
        let nodes = (0..federation.federation().size())
            .map(|index| federation.node(index).client().clone())
            .collect();
        let clients = tokio::spawn(clients::run(nodes, interval, options.inflation, sender));
        let size = federation.federation().size();
        let shared = SharedState::new(state);
        shared.add_news(format!("starting {size} operators"));
        let operators = EventPump::new(&federation);
        for operator in &mut shared.now().operators {
            operator.running = true;
        }
        Self {
            // If no operator may be absent, a crash would only stop the chain.
            crash: options.crash && federation.federation().tolerated_absent() > 0,
            federation,
            shared,
            operators,
            client_events,
            clients,
            to_restart: VecDeque::new(),
            failures: Vec::new(),
            victim: None,
            restarted: false,
            blocks,
            interval,
            first_height: None,
            reissued: None,
            last_point: None,
        }
    }

    /// Shows an operator that has just started, and collects its events.
    fn attach(&mut self, index: usize) {
        if self.operators.attach(&self.federation, index) {
            self.shared.now().operators[index].running = true;
        }
    }

    /// Runs the demo to its end, and calls `output` after each event, with the block if there is a new one.
    ///
    /// Dropping the future must end the demo: an operator may be between stop and start.
    pub(crate) async fn run(
        &mut self,
        mut commands: mpsc::Receiver<UserCommand>,
        mut output: impl FnMut(Option<&BlockRow>) -> Result<(), CliError>,
    ) -> Result<Outcome, CliError> {
        let mut check = tokio::time::interval(CHECK_INTERVAL);
        loop {
            let restarts = !self.to_restart.is_empty();
            let block = tokio::select! {
                biased;
                Some(command) = commands.recv() => {
                    self.execute(command).await;
                    None
                }
                event = self.operators.recv() => self.on_event(event).await,
                Some(event) = self.client_events.recv() => {
                    self.on_client_event(event);
                    None
                }
                () = std::future::ready(()), if restarts => {
                    self.restart_next().await;
                    None
                }
                _ = check.tick() => {
                    // They end with an error, which they report, or by a panic.
                    if self.clients.is_finished() && self.failures.is_empty() {
                        self.fail("the clients stopped".to_owned());
                    }
                    None
                }
            };
            output(block.as_ref())?;
            if let Some(end) = self.end() {
                return Ok(end);
            }
        }
    }

    pub(super) async fn execute(&mut self, command: UserCommand) {
        match command {
            UserCommand::Stop(index) => self.stop(index).await,
            UserCommand::Restart(index) => self.restart(index).await,
            UserCommand::Kill(index) => self.kill(index).await,
            UserCommand::Cut(index) => self.cut(index),
            UserCommand::Heal(index) => self.heal(index),
        }
    }

    /// Handles an operator's event; returns the block if it brought a new one.
    async fn on_event(&mut self, event: LocalEvent) -> Option<BlockRow> {
        let index = event.operator;
        match event.kind {
            LocalEventKind::Operator(event) => self.on_operator_event(index, event).await,
            LocalEventKind::Ended => {
                self.on_end(index).await;
                None
            }
            _ => None,
        }
    }

    /// Handles an event of the clients.
    pub(super) fn on_client_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Acted(text) => self.shared.add_news(text),
            ClientEvent::Stopped(reason) => self.fail(format!("the clients stopped: {reason}")),
            ClientEvent::Issued(settings) => self.reissue(*settings),
        }
    }

    /// Records a failure that the user did not cause.
    fn fail(&mut self, what: String) {
        self.shared.add_news(what.clone());
        self.failures.push(what);
    }

    /// Handles the end of an operator.
    async fn on_end(&mut self, index: usize) {
        if self.federation.operator(index).is_none() {
            return;
        }
        let name = self.name(index);
        let reason = match self.federation.stop_operator(index).await {
            Ok(()) => String::new(),
            Err(error) => format!(": {error}"),
        };
        self.shared.now().operators[index].running = false;
        self.fail(format!("{name} stopped unexpectedly{reason}"));
    }

    pub(super) fn name(&self, index: usize) -> String {
        self.shared.now().operators[index].name.clone()
    }

    async fn on_operator_event(&mut self, index: usize, event: OperatorEvent) -> Option<BlockRow> {
        if let Some(handle) = self.federation.operator(index) {
            let status = handle.status().borrow().clone();
            let roster = self.federation.federation();
            let row = &mut self.shared.now().operators[index];
            row.height = status.height;
            row.round = status.round.to_u32();
            row.leader = roster.leader(status.height, status.round).index();
            row.phase = phase(status.phase).to_owned();
        }
        let name = self.name(index);
        match event {
            OperatorEvent::Protocol(Event::HeightFinished(report)) => {
                return self.finished(index, &report).await;
            }
            OperatorEvent::Protocol(Event::Alarm(alarm)) => {
                let text = describe_alarm(&alarm);
                let mut state = self.shared.now();
                state.add_news(format!("{name}: {text}"));
                state.operators[index].alarm = Some(text);
            }
            OperatorEvent::StandsStill(standstill) => {
                let reason = standstill.reason(self.federation.federation());
                let mut state = self.shared.now();
                if state.standstill.is_none() {
                    state.add_news(format!("{name}: the chain is at a standstill: {reason}"));
                }
                state.standstill = Some(reason);
            }
            OperatorEvent::Node(NodeState::Down(reason)) => {
                self.shared
                    .add_news(format!("{name}: node unreachable: {reason}"));
            }
            OperatorEvent::Evidence { culprit, height } => {
                let culprit = self.federation.federation().name(culprit);
                self.shared.add_news(format!(
                    "{name}: evidence against {culprit} at height {height}"
                ));
            }
            OperatorEvent::Reissued {
                asset,
                point,
                amount,
                ..
            } if self.last_point < Some(point) => {
                self.last_point = Some(point);
                let amount = Amount::from_sat(amount);
                let asset = asset.to_string();
                self.shared.add_news(format!(
                    "the federation reissues {amount} of {} for height {point}",
                    clients::short(&asset)
                ));
            }
            _ => {}
        }
        None
    }

    /// Configures the asset in every operator, and restarts them one after the other.
    fn reissue(&mut self, settings: AssetSettings) {
        let asset = settings.asset().to_string();
        self.shared.add_news(format!(
            "its reissuance tokens belong to the federation: restarting the operators to reissue {}",
            clients::short(&asset)
        ));
        self.federation.set_reissuance(vec![settings.clone()]);
        self.reissued = Some(settings);
        self.to_restart = (0..self.federation.federation().size()).collect();
    }

    /// Restarts the next operator. One that is not running loads the asset when it starts.
    async fn restart_next(&mut self) {
        if let Some(index) = self.to_restart.pop_front()
            && self.federation.operator(index).is_some()
        {
            self.stop(index).await;
            self.restart(index).await;
        }
    }

    async fn finished(&mut self, index: usize, report: &HeightReport) -> Option<BlockRow> {
        let took = report.until_submitted.or(report.until_finished).map(millis);
        {
            let mut state = self.shared.now();
            state.operators[index].last_ms = took;
            state.record_hash(report.height, report.hash);
            if state.has_block(report.height) {
                return None;
            }
        }
        let row = match block::row(&self.federation, index, report, took).await {
            Ok(row) => row,
            Err(error) => {
                self.fail(format!("cannot read a block: {error}"));
                return None;
            }
        };
        self.first_height.get_or_insert(row.height);
        self.shared.now().add_block(row.clone());
        self.run_script(row.height).await;
        Some(row)
    }

    /// Performs the demo's own actions: a crash and a recovery.
    async fn run_script(&mut self, height: u32) {
        // Only one operator is absent at a time.
        if !self.crash || !self.to_restart.is_empty() {
            return;
        }
        let finished = self.shared.now().finished;
        match self.victim {
            None if finished >= CRASH_AFTER => {
                // The next leader, so that its absence shows.
                let roster = self.federation.federation();
                let next = BlockHeight::new(height + 2);
                let victim = roster.leader(next, federation_roster::Round::FIRST).index();
                self.kill(victim).await;
                self.victim = Some((victim, finished));
            }
            Some((victim, at)) if !self.restarted && finished >= at + RESTART_AFTER => {
                self.restarted = true;
                self.restart(victim).await;
            }
            _ => {}
        }
    }

    pub(super) async fn kill(&mut self, index: usize) {
        self.federation.kill_operator(index).await;
        self.mark_stopped(index, "was killed");
    }

    async fn stop(&mut self, index: usize) {
        match self.federation.stop_operator(index).await {
            Ok(()) => self.mark_stopped(index, "was stopped"),
            Err(error) => {
                self.shared.now().operators[index].running = false;
                let name = self.name(index);
                self.fail(format!("{name} stopped unexpectedly: {error}"));
            }
        }
    }

    fn mark_stopped(&self, index: usize, what: &str) {
        let mut state = self.shared.now();
        let row = &mut state.operators[index];
        row.running = false;
        let name = row.name.clone();
        state.add_news(format!("{name} {what}"));
    }

    async fn restart(&mut self, index: usize) {
        if self.federation.operator(index).is_some() {
            return;
        }
        let name = self.name(index);
        match self.federation.start_operator(index).await {
            Ok(()) => {
                self.attach(index);
                self.shared.add_news(format!("{name} is running again"));
            }
            Err(error) => self.fail(format!("{name} failed to start: {error}")),
        }
    }

    /// Returns why the demo has ended; none if it has not.
    fn end(&self) -> Option<Outcome> {
        let state = self.shared.now();
        if self.blocks.is_some_and(|blocks| state.finished >= blocks) {
            return Some(Outcome::Done);
        }
        // In the live view the user can act, and decides how long to wait.
        self.blocks?;
        let last = state.last_block.unwrap_or(state.began);
        (last.elapsed() > local::patience(self.interval)).then_some(Outcome::StoodStill)
    }

    /// Stops the clients and returns the finished demo.
    pub(crate) fn close(self, end: Outcome) -> FinishedDemo {
        self.clients.abort();
        FinishedDemo {
            federation: self.federation,
            shared: self.shared,
            end,
            ended: Instant::now(),
            first_height: self.first_height,
            reissued: self.reissued,
            failures: self.failures,
        }
    }
}

/// A demo that has ended.
pub(crate) struct FinishedDemo {
    pub(crate) federation: LocalFederation,
    pub(crate) shared: SharedState,
    pub(crate) end: Outcome,
    pub(crate) ended: Instant,
    pub(crate) first_height: Option<u32>,
    pub(crate) reissued: Option<AssetSettings>,
    /// The failures that the user did not cause.
    pub(crate) failures: Vec<String>,
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::NoTip => "needs node",
        Phase::Waiting => "waiting",
        Phase::Propose => "proposing",
        Phase::Prevote => "prevoted",
        Phase::Precommit => "precommitted",
        Phase::Decided => "signing",
        Phase::Halted => "halted",
    }
}

fn describe_alarm(alarm: &Alarm) -> String {
    match alarm {
        Alarm::NodeBehind { tip, last_final } => {
            format!("its node is behind: at {tip} of {last_final}")
        }
        other => other.to_string(),
    }
}
