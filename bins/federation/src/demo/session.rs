//! The demo's course: what happens in the federation, and what the demo does to it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use federation_block_signing::{Alarm, Event, HeightReport, Phase};
use federation_chain::BlockHeight;
use federation_cli::CliError;
use federation_local::LocalFederation;
use federation_ocean_rpc::Amount;
use federation_operator::{NodeState, OperatorEvent};
use federation_reissuance::AssetSettings;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    block, clients,
    inflation::Inflation,
    state::{BlockRow, DemoState, Picture},
};

/// How often it is looked whether the demo is over.
const LOOK: Duration = Duration::from_millis(200);

/// After how many blocks an operator is killed, and after how many more it comes back.
const CRASH_AFTER: u32 = 4;
const BACK_AFTER: u32 = 5;

/// Something that came from an operator, or from the demo's clients.
pub(crate) enum News {
    Operator(usize, OperatorEvent),
    /// An operator has ended, of whose starts it was this one.
    Ended(usize, u32),
    Client(String),
    /// The clients cannot go on.
    ClientsStopped(String),
    /// An asset whose tokens belong to the federation now.
    Issued(Box<AssetSettings>),
}

/// What the demo does besides making blocks.
pub(crate) struct Acts {
    /// Kills an operator, and lets it come back.
    pub(crate) crash: bool,
    /// Reissues an asset.
    pub(crate) inflation: Option<Inflation>,
}

/// What the user asks for, of an operator by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Stop(usize),
    Restart(usize),
    Kill(usize),
    /// Cut its link to the next one that it still has a link to.
    Cut(usize),
    /// Mend all its links.
    Heal(usize),
}

/// Why the demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Quit,
    /// By a signal.
    Stopped,
    StoodStill,
}

/// A running demo.
pub(crate) struct Session {
    pub(super) federation: LocalFederation,
    pub(crate) picture: Picture,
    news: mpsc::Receiver<News>,
    to_news: mpsc::Sender<News>,
    clients: JoinHandle<()>,
    /// How often each operator was started.
    pub(super) starts: Vec<u32>,
    /// Who has yet to start again to take the asset in.
    to_restart: VecDeque<usize>,
    /// What went wrong, which nobody had asked for.
    failures: Vec<String>,
    crash: bool,
    victim: Option<(usize, u32)>,
    came_back: bool,
    blocks: Option<u32>,
    interval: Duration,
    first_height: Option<u32>,
    /// What the federation reissues, once issued.
    reissued: Option<AssetSettings>,
    /// The last point that was seen paid.
    last_point: Option<BlockHeight>,
}

impl Session {
    pub(crate) fn new(
        federation: LocalFederation,
        state: DemoState,
        acts: Acts,
        blocks: Option<u32>,
        interval: Duration,
    ) -> Self {
        let (to_news, news) = mpsc::channel(4096);
        let nodes = (0..federation.federation().size())
            .map(|index| federation.node(index).client().clone())
            .collect();
        let clients = tokio::spawn(clients::run(
            nodes,
            interval,
            acts.inflation,
            to_news.clone(),
        ));
        let size = federation.federation().size();
        let picture = Picture::new(state);
        picture.tell(format!("{size} operators start"));
        let mut session = Self {
            // Without an operator to spare, a crash would only stop the chain.
            crash: acts.crash && federation.federation().tolerated_absent() > 0,
            federation,
            picture,
            news,
            to_news,
            clients,
            starts: vec![0; size],
            to_restart: VecDeque::new(),
            failures: Vec::new(),
            victim: None,
            came_back: false,
            blocks,
            interval,
            first_height: None,
            reissued: None,
            last_point: None,
        };
        for index in 0..size {
            session.listen(index);
        }
        session
    }

    /// Hands on an operator's events from now on.
    fn listen(&mut self, index: usize) {
        let Some(handle) = self.federation.operator(index) else {
            return;
        };
        let mut events = handle.events();
        let mut status = handle.status();
        self.starts[index] += 1;
        let start = self.starts[index];
        self.picture.now().operators[index].running = true;
        let to_news = self.to_news.clone();
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => {
                        if to_news.send(News::Operator(index, event)).await.is_err() {
                            return;
                        }
                    }
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        let to_news = self.to_news.clone();
        tokio::spawn(async move {
            while status.changed().await.is_ok() {}
            // The demo may be over.
            let _ = to_news.send(News::Ended(index, start)).await;
        });
    }

    /// Runs the demo to its end, and tells what happens, and each new block.
    ///
    /// Not to be dropped before but to end the demo: an operator may be between its stop and its start.
    pub(crate) async fn run(
        &mut self,
        mut wishes: mpsc::Receiver<Wish>,
        mut tell: impl FnMut(Option<&BlockRow>) -> Result<(), CliError>,
    ) -> Result<End, CliError> {
        let mut look = tokio::time::interval(LOOK);
        loop {
            let restarts = !self.to_restart.is_empty();
            let block = tokio::select! {
                biased;
                Some(wish) = wishes.recv() => {
                    self.grant(wish).await;
                    None
                }
                Some(news) = self.news.recv() => self.take(news).await,
                () = std::future::ready(()), if restarts => {
                    self.restart_next().await;
                    None
                }
                _ = look.tick() => {
                    // They end by an error, which they tell, or by a panic.
                    if self.clients.is_finished() && self.failures.is_empty() {
                        self.fail("the clients stopped".to_owned());
                    }
                    None
                }
            };
            tell(block.as_ref())?;
            if let Some(end) = self.end() {
                return Ok(end);
            }
        }
    }

    pub(super) async fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Stop(index) => self.stop(index).await,
            Wish::Restart(index) => self.restart(index).await,
            Wish::Kill(index) => self.kill(index).await,
            Wish::Cut(index) => self.cut(index),
            Wish::Heal(index) => self.heal(index),
        }
    }

    /// What comes of news; a new block if it was one.
    pub(super) async fn take(&mut self, news: News) -> Option<BlockRow> {
        match news {
            News::Client(text) => self.picture.tell(text),
            News::ClientsStopped(reason) => self.fail(format!("the clients stop: {reason}")),
            News::Issued(settings) => self.reissue(*settings),
            News::Ended(index, start) => self.ended(index, start).await,
            News::Operator(index, event) => return self.happened(index, event).await,
        }
        None
    }

    /// Something went wrong that nobody had asked for.
    fn fail(&mut self, what: String) {
        self.picture.tell(what.clone());
        self.failures.push(what);
    }

    /// An operator is not there any more.
    async fn ended(&mut self, index: usize, start: u32) {
        if self.starts[index] != start || self.federation.operator(index).is_none() {
            return;
        }
        let name = self.name(index);
        let reason = match self.federation.stop_operator(index).await {
            Ok(()) => String::new(),
            Err(error) => format!(": {error}"),
        };
        self.picture.now().operators[index].running = false;
        self.fail(format!("{name} stopped by itself{reason}"));
    }

    pub(super) fn name(&self, index: usize) -> String {
        self.picture.now().operators[index].name.clone()
    }

    async fn happened(&mut self, index: usize, event: OperatorEvent) -> Option<BlockRow> {
        if let Some(handle) = self.federation.operator(index) {
            let status = handle.status().borrow().clone();
            let row = &mut self.picture.now().operators[index];
            row.height = status.height;
            row.round = status.round.to_u32();
            row.phase = phase(status.phase).to_owned();
        }
        let name = self.name(index);
        match event {
            OperatorEvent::Protocol(Event::HeightFinished(report)) => {
                return self.finished(index, &report).await;
            }
            OperatorEvent::Protocol(Event::Alarm(alarm)) => {
                let text = alarm_text(&alarm);
                let mut state = self.picture.now();
                state.tell(format!("{name}: {text}"));
                state.operators[index].alarm = Some(text);
            }
            OperatorEvent::StandsStill(standstill) => {
                let reason = standstill.reason(self.federation.federation());
                let mut state = self.picture.now();
                if state.standstill.is_none() {
                    state.tell(format!("{name}: the chain stands still: {reason}"));
                }
                state.standstill = Some(reason);
            }
            OperatorEvent::Node(NodeState::Down(reason)) => {
                self.picture
                    .tell(format!("{name}: its node does not answer: {reason}"));
            }
            OperatorEvent::Evidence { culprit, height } => {
                let culprit = self.federation.federation().name(culprit);
                self.picture.tell(format!(
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
                self.picture.tell(format!(
                    "the federation makes {amount} of {} for point {point}",
                    clients::short(&asset)
                ));
            }
            _ => {}
        }
        None
    }

    /// Every operator takes the asset into its files and starts again, one after the other.
    fn reissue(&mut self, settings: AssetSettings) {
        let asset = settings.asset().to_string();
        self.picture.tell(format!(
            "its reissuance tokens belong to the federation: operators start again to make more of {}",
            clients::short(&asset)
        ));
        self.federation.set_reissuance(vec![settings.clone()]);
        self.reissued = Some(settings);
        self.to_restart = (0..self.starts.len()).collect();
    }

    /// The next operator starts again. Who does not run has the asset when it is started.
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
            let mut state = self.picture.now();
            state.operators[index].last_ms = took;
            state.saw_hash(report.height, report.hash);
            if state.has_block(report.height) {
                return None;
            }
        }
        let row = match block::row(&self.federation, index, report, took).await {
            Ok(row) => row,
            Err(error) => {
                self.fail(format!("a block cannot be shown: {error}"));
                return None;
            }
        };
        self.first_height.get_or_insert(row.height);
        self.picture.now().add_block(row.clone());
        self.play(row.height).await;
        Some(row)
    }

    /// The demo's own acts: a crash, and a comeback.
    async fn play(&mut self, height: u32) {
        // One operator at a time is away.
        if !self.crash || !self.to_restart.is_empty() {
            return;
        }
        let finished = self.picture.now().finished;
        match self.victim {
            None if finished >= CRASH_AFTER => {
                // The next leader, so that its absence is felt.
                let roster = self.federation.federation();
                let next = BlockHeight::new(height + 2);
                let victim = roster.leader(next, federation_roster::Round::FIRST).index();
                self.kill(victim).await;
                self.victim = Some((victim, finished));
            }
            Some((victim, at)) if !self.came_back && finished >= at + BACK_AFTER => {
                self.came_back = true;
                self.restart(victim).await;
            }
            _ => {}
        }
    }

    pub(super) async fn kill(&mut self, index: usize) {
        self.federation.kill_operator(index).await;
        self.gone(index, "was killed");
    }

    async fn stop(&mut self, index: usize) {
        match self.federation.stop_operator(index).await {
            Ok(()) => self.gone(index, "was stopped"),
            Err(error) => {
                self.picture.now().operators[index].running = false;
                let name = self.name(index);
                self.fail(format!("{name} stopped by itself: {error}"));
            }
        }
    }

    fn gone(&self, index: usize, what: &str) {
        let mut state = self.picture.now();
        let row = &mut state.operators[index];
        row.running = false;
        let name = row.name.clone();
        state.tell(format!("{name} {what}"));
    }

    async fn restart(&mut self, index: usize) {
        if self.federation.operator(index).is_some() {
            return;
        }
        let name = self.name(index);
        match self.federation.start_operator(index).await {
            Ok(()) => {
                self.listen(index);
                self.picture.tell(format!("{name} is back"));
            }
            Err(error) => self.fail(format!("{name} does not start: {error}")),
        }
    }

    /// Whether the demo is over, and why.
    fn end(&self) -> Option<End> {
        let state = self.picture.now();
        if self.blocks.is_some_and(|blocks| state.finished >= blocks) {
            return Some(End::Done);
        }
        // Who watches can mend it, and decides how long to wait.
        self.blocks?;
        let last = state.last_block.unwrap_or(state.began);
        (last.elapsed() > super::patience(self.interval)).then_some(End::StoodStill)
    }

    /// Stops the clients and hands out what is left.
    pub(crate) fn close(self, end: End) -> Ended {
        self.clients.abort();
        Ended {
            federation: self.federation,
            picture: self.picture,
            end,
            ended: Instant::now(),
            first_height: self.first_height,
            reissued: self.reissued,
            failures: self.failures,
        }
    }
}

/// A demo that is over.
pub(crate) struct Ended {
    pub(crate) federation: LocalFederation,
    pub(crate) picture: Picture,
    pub(crate) end: End,
    pub(crate) ended: Instant,
    pub(crate) first_height: Option<u32>,
    pub(crate) reissued: Option<AssetSettings>,
    /// What went wrong, which nobody had asked for.
    pub(crate) failures: Vec<String>,
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::NoTip => "waits for node",
        Phase::Waiting => "waits",
        Phase::Propose => "proposing",
        Phase::Prevote => "prevoted",
        Phase::Precommit => "precommitted",
        Phase::Decided => "signing",
        Phase::Halted => "halted",
    }
}

fn alarm_text(alarm: &Alarm) -> String {
    match alarm {
        Alarm::NodeBehind { tip, last_final } => {
            format!("its node is at {tip}, behind {last_final}")
        }
        other => other.to_string(),
    }
}
