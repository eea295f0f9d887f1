//! The demo's course: what happens in the federation, and what the demo does to it.

use std::time::{Duration, Instant};

use federation_block_signing::{Alarm, Event, HeightReport, Phase};
use federation_chain::{Block, BlockHeight};
use federation_local::{LocalError, LocalFederation};
use federation_ocean_rpc::{Amount, Node};
use federation_operator::{NodeState, OperatorEvent};
use federation_reissuance::AssetSettings;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    clients,
    inflation::Inflation,
    state::{BlockRow, DemoState},
};

/// After how many blocks an operator is killed, and after how many more it comes back.
const CRASH_AFTER: u32 = 4;
const BACK_AFTER: u32 = 5;

/// Something that came from an operator, or from the demo's clients.
pub(crate) enum News {
    Operator(usize, OperatorEvent),
    Client(String),
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

/// Why the demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Quit,
    StoodStill,
}

/// A running demo.
pub(crate) struct Session {
    pub(crate) federation: LocalFederation,
    pub(crate) state: DemoState,
    news: mpsc::Receiver<News>,
    to_news: mpsc::Sender<News>,
    clients: JoinHandle<()>,
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
        mut state: DemoState,
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
        state.tell(format!("{size} operators start"));
        let mut session = Self {
            // Without an operator to spare, a crash would only stop the chain.
            crash: acts.crash && federation.federation().tolerated_absent() > 0,
            federation,
            state,
            news,
            to_news,
            clients,
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
        let to_news = self.to_news.clone();
        self.state.operators[index].running = true;
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
    }

    /// The next thing that happens; a new block if it was one.
    pub(crate) async fn step(&mut self) -> Option<BlockRow> {
        match self.news.recv().await? {
            News::Client(text) => {
                self.state.tell(text);
                None
            }
            News::Issued(settings) => {
                self.reissue(*settings).await;
                None
            }
            News::Operator(index, event) => self.happened(index, event).await,
        }
    }

    async fn happened(&mut self, index: usize, event: OperatorEvent) -> Option<BlockRow> {
        if let Some(handle) = self.federation.operator(index) {
            let status = handle.status().borrow().clone();
            let row = &mut self.state.operators[index];
            row.height = status.height;
            row.round = status.round.to_u32();
            row.phase = phase(status.phase).to_owned();
        }
        let name = self.state.operators[index].name.clone();
        match event {
            OperatorEvent::Protocol(Event::HeightFinished(report)) => {
                return self.finished(index, &report).await;
            }
            OperatorEvent::Protocol(Event::Alarm(alarm)) => {
                let text = alarm_text(&alarm);
                self.state.tell(format!("{name}: {text}"));
                self.state.operators[index].alarm = Some(text);
            }
            OperatorEvent::StandsStill(standstill) => {
                let reason = standstill.reason(self.federation.federation());
                if self.state.standstill.is_none() {
                    self.state
                        .tell(format!("{name}: the chain stands still: {reason}"));
                }
                self.state.standstill = Some(reason);
            }
            OperatorEvent::Node(NodeState::Down(reason)) => {
                self.state
                    .tell(format!("{name}: its node does not answer: {reason}"));
            }
            OperatorEvent::Evidence { culprit, height } => {
                let culprit = self.federation.federation().name(culprit);
                self.state.tell(format!(
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
                self.state.tell(format!(
                    "the federation makes {amount} of {} for point {point}",
                    clients::short(&asset)
                ));
            }
            _ => {}
        }
        None
    }

    /// Every operator takes the asset into its files and starts again, one after the other.
    async fn reissue(&mut self, settings: AssetSettings) {
        let asset = settings.asset().to_string();
        self.state.tell(format!(
            "its reissuance tokens belong to the federation: operators start again to make more of {}",
            clients::short(&asset)
        ));
        self.federation.set_reissuance(vec![settings.clone()]);
        self.reissued = Some(settings);
        for index in 0..self.state.operators.len() {
            if self.federation.operator(index).is_some() {
                self.stop(index).await;
                self.restart(index).await;
            }
        }
    }

    async fn finished(&mut self, index: usize, report: &HeightReport) -> Option<BlockRow> {
        let took = report.until_submitted.or(report.until_finished).map(millis);
        self.state.operators[index].last_ms = took;
        self.state.saw_hash(report.height, report.hash);
        if self.state.has_block(report.height) {
            return None;
        }
        let row = match self.row(index, report, took).await {
            Ok(row) => row,
            Err(error) => {
                self.state.tell(format!("a block cannot be shown: {error}"));
                return None;
            }
        };
        self.first_height.get_or_insert(row.height);
        self.state.add_block(row.clone());
        self.play(row.height).await;
        Some(row)
    }

    /// What the demo shows of a block: from the block itself, as the node has it.
    async fn row(
        &self,
        index: usize,
        report: &HeightReport,
        took: Option<u64>,
    ) -> Result<BlockRow, LocalError> {
        let roster = self.federation.federation();
        let bytes = self
            .federation
            .node(index)
            .client()
            .block(report.hash)
            .await?;
        let rules = roster.rules();
        let block = Block::decode(rules.dialect(), bytes).ok();
        let signers = block
            .as_ref()
            .and_then(|block| rules.signers(block.header()).ok())
            .unwrap_or_default()
            .into_iter()
            .filter_map(|position| roster.at_script_position(position))
            .map(|id| roster.name(id))
            .collect();
        let mut described = Vec::new();
        if let Some(block) = &block {
            let read = block.each_transaction(|transaction| {
                if !transaction.is_coinbase() {
                    described.push(clients::describe(&transaction));
                }
            });
            if let Err(error) = read {
                described.push(error.to_string());
            }
        }
        Ok(BlockRow {
            height: report.height.to_u32(),
            hash: report.hash.to_string(),
            round: report.round.map_or(0, federation_roster::Round::to_u32),
            leader: report.leader.map(|id| roster.name(id)).unwrap_or_default(),
            signers,
            ms: took.unwrap_or_default(),
            transactions: block.map_or(0, |block| block.transaction_count()),
            assets: described,
        })
    }

    /// The demo's own acts: a crash, and a comeback.
    async fn play(&mut self, height: u32) {
        if !self.crash {
            return;
        }
        match self.victim {
            None if self.state.finished >= CRASH_AFTER => {
                // The next leader, so that its absence is felt.
                let roster = self.federation.federation();
                let next = BlockHeight::new(height + 2);
                let victim = roster.leader(next, federation_roster::Round::FIRST).index();
                self.kill(victim).await;
                self.victim = Some((victim, self.state.finished));
            }
            Some((victim, at)) if !self.came_back && self.state.finished >= at + BACK_AFTER => {
                self.came_back = true;
                self.restart(victim).await;
            }
            _ => {}
        }
    }

    pub(crate) async fn kill(&mut self, index: usize) {
        self.federation.kill_operator(index).await;
        self.gone(index, "was killed");
    }

    pub(crate) async fn stop(&mut self, index: usize) {
        if let Err(error) = self.federation.stop_operator(index).await {
            self.state.tell(error.to_string());
        }
        self.gone(index, "was stopped");
    }

    fn gone(&mut self, index: usize, what: &str) {
        let row = &mut self.state.operators[index];
        row.running = false;
        let name = row.name.clone();
        self.state.tell(format!("{name} {what}"));
    }

    pub(crate) async fn restart(&mut self, index: usize) {
        let name = self.state.operators[index].name.clone();
        match self.federation.start_operator(index).await {
            Ok(()) => {
                self.listen(index);
                self.state.tell(format!("{name} is back"));
            }
            Err(error) => self.state.tell(format!("{name} does not start: {error}")),
        }
    }

    /// Whether the demo is over, and why.
    pub(crate) fn end(&self) -> Option<End> {
        if self
            .blocks
            .is_some_and(|blocks| self.state.finished >= blocks)
        {
            return Some(End::Done);
        }
        // Who watches can mend it, and decides how long to wait.
        self.blocks?;
        let last = self.state.last_block.unwrap_or(self.state.began);
        (last.elapsed() > super::patience(self.interval)).then_some(End::StoodStill)
    }

    /// Stops the clients and hands out what is left.
    pub(crate) fn close(self, end: End) -> Ended {
        self.clients.abort();
        Ended {
            federation: self.federation,
            state: self.state,
            end,
            ended: Instant::now(),
            first_height: self.first_height,
            reissued: self.reissued,
        }
    }
}

/// A demo that is over.
pub(crate) struct Ended {
    pub(crate) federation: LocalFederation,
    pub(crate) state: DemoState,
    pub(crate) end: End,
    pub(crate) ended: Instant,
    pub(crate) first_height: Option<u32>,
    pub(crate) reissued: Option<AssetSettings>,
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
        other => format!("{other:?}"),
    }
}
