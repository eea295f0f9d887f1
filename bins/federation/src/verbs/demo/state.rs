//! The state that the demo displays, updated from the operators' events.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use federation_chain::{BlockHash, BlockHeight};
use serde::Serialize;

/// The number of blocks kept for display.
const KEPT_BLOCKS: usize = 64;
/// The number of news items kept for display.
const KEPT_NEWS: usize = 64;

/// The shared state, drawn while the federation runs.
#[derive(Debug, Clone)]
pub(crate) struct SharedState(Arc<Mutex<DemoState>>);

impl SharedState {
    pub(crate) fn new(state: DemoState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// Locks the current state. Must not be held across an await.
    pub(crate) fn now(&self) -> MutexGuard<'_, DemoState> {
        // Every change completes before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a news item.
    pub(crate) fn add_news(&self, news: String) {
        self.now().add_news(news);
    }
}

/// One operator, as displayed.
#[derive(Debug, Clone)]
pub(crate) struct OperatorRow {
    /// Its name in the roster.
    pub(crate) name: String,
    /// Whether it is running.
    pub(crate) running: bool,
    /// The height that it is working on.
    pub(crate) height: BlockHeight,
    /// The round of that height.
    pub(crate) round: u32,
    /// The index of the operator that leads this round.
    pub(crate) leader: usize,
    /// Its current phase.
    pub(crate) phase: String,
    /// The milliseconds from the start of its last height to the block on its node.
    pub(crate) last_ms: Option<u64>,
    /// The number of blocks with its signature since the demo started.
    pub(crate) signed: u32,
    /// The last alarm, if any.
    pub(crate) alarm: Option<String>,
}

/// One block; also the demo's line of JSON.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BlockRow {
    /// Its height.
    pub(crate) height: u32,
    /// Its hash, as displayed by RPC.
    pub(crate) hash: String,
    /// The round in which it was decided.
    pub(crate) round: u32,
    /// Who proposed it.
    pub(crate) leader: String,
    /// The operators whose signatures it contains, in the script's order.
    pub(crate) signers: Vec<String>,
    /// The milliseconds from the height's start to the submission, at the first operator.
    pub(crate) ms: u64,
    /// The number of its transactions, including the coinbase.
    pub(crate) transactions: usize,
    /// What its transactions did with assets.
    pub(crate) assets: Vec<String>,
}

/// A link between two operators that the user has cut.
pub(crate) type Link = (usize, usize);

/// The state of the federation, as displayed.
#[derive(Debug, Clone)]
pub(crate) struct DemoState {
    /// A one-line description of the demo.
    pub(crate) title: String,
    /// M.
    pub(crate) threshold: usize,
    /// The time from one block to the next.
    pub(crate) interval: Duration,
    /// When the demo started.
    pub(crate) began: Instant,
    /// The operators, by index in the roster.
    pub(crate) operators: Vec<OperatorRow>,
    /// The latest blocks, newest first.
    pub(crate) blocks: VecDeque<BlockRow>,
    /// The latest news, newest first.
    pub(crate) news: VecDeque<String>,
    /// The number of news items so far.
    pub(crate) news_count: u64,
    /// Links cut by the user.
    pub(crate) cut: Vec<Link>,
    /// The hash at each height, to detect a fork.
    hashes: BTreeMap<u32, BlockHash>,
    /// Heights at which two nodes had different blocks.
    pub(crate) forks: Vec<u32>,
    /// When the last block arrived.
    pub(crate) last_block: Option<Instant>,
    /// The longest time between two blocks, in milliseconds.
    pub(crate) longest_gap_ms: u64,
    /// The number of blocks so far.
    pub(crate) finished: u32,
    /// The last reason that an operator reported for a standstill.
    pub(crate) standstill: Option<String>,
}

impl DemoState {
    /// Creates the state before any operator has started.
    pub(crate) fn new(
        title: String,
        threshold: usize,
        interval: Duration,
        names: Vec<String>,
    ) -> Self {
        let operators = names
            .into_iter()
            .map(|name| OperatorRow {
                name,
                running: false,
                height: BlockHeight::GENESIS,
                round: 0,
                leader: 0,
                phase: "starting".to_owned(),
                last_ms: None,
                signed: 0,
                alarm: None,
            })
            .collect();
        Self {
            title,
            threshold,
            interval,
            began: Instant::now(),
            operators,
            blocks: VecDeque::new(),
            news: VecDeque::new(),
            news_count: 0,
            cut: Vec::new(),
            hashes: BTreeMap::new(),
            forks: Vec::new(),
            last_block: None,
            longest_gap_ms: 0,
            finished: 0,
            standstill: None,
        }
    }

    /// Records the block of one node at a height; a second hash is a fork.
    pub(crate) fn record_hash(&mut self, height: BlockHeight, hash: BlockHash) {
        let known = *self.hashes.entry(height.to_u32()).or_insert(hash);
        if known != hash && !self.forks.contains(&height.to_u32()) {
            self.forks.push(height.to_u32());
            self.add_news(format!("FORK at height {height}: {known} and {hash}"));
        }
    }

    /// Whether there is already a block of this height.
    pub(crate) fn has_block(&self, height: BlockHeight) -> bool {
        self.blocks.iter().any(|b| b.height == height.to_u32())
    }

    /// Adds a block, reported by the first operator to finish it.
    pub(crate) fn add_block(&mut self, block: BlockRow) {
        let now = Instant::now();
        if let Some(last) = self.last_block.replace(now) {
            let gap = u64::try_from(now.duration_since(last).as_millis()).unwrap_or(u64::MAX);
            self.longest_gap_ms = self.longest_gap_ms.max(gap);
        }
        for row in &mut self.operators {
            if block.signers.contains(&row.name) {
                row.signed += 1;
            }
        }
        self.finished += 1;
        self.standstill = None;
        self.blocks.push_front(block);
        self.blocks.truncate(KEPT_BLOCKS);
    }

    /// Returns the time since the last block, or since the start of the demo.
    pub(crate) fn since_last_block(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_block.unwrap_or(self.began))
    }

    /// Returns why the chain is at a standstill; none if it is not. Like operators, this reports it after two
    /// intervals, but not before three seconds after a block is due.
    pub(crate) fn standstill(&self, now: Instant) -> Option<String> {
        let patience = (self.interval * 2).max(self.interval + Duration::from_secs(3));
        if self.since_last_block(now) < patience {
            return None;
        }
        let running = self.operators.iter().filter(|o| o.running).count();
        let stopped: Vec<&str> = self
            .operators
            .iter()
            .filter(|o| !o.running)
            .map(|o| o.name.as_str())
            .collect();
        if running < self.threshold {
            return Some(format!(
                "{running} of the {} that must sign are running; stopped: {}",
                self.threshold,
                stopped.join(", ")
            ));
        }
        if let Some(reason) = &self.standstill {
            return Some(reason.clone());
        }
        let links = match self.cut.len() {
            0 => String::new(),
            1 => "; a link is cut".to_owned(),
            cut => format!("; {cut} links are cut"),
        };
        Some(format!("{running} operators are running{links}"))
    }

    /// Adds a news item.
    pub(crate) fn add_news(&mut self, news: String) {
        let seconds = self.began.elapsed().as_secs_f32();
        self.news.push_front(format!("{seconds:7.1} s  {news}"));
        self.news.truncate(KEPT_NEWS);
        self.news_count += 1;
    }

    /// Returns the leader of the foremost running operator's round; none if no operator is running.
    pub(crate) fn leader(&self) -> Option<usize> {
        let running = self.operators.iter().filter(|o| o.running);
        let front = running.max_by_key(|o| (o.height, o.round))?;
        Some(front.leader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> DemoState {
        let names = vec!["a".into(), "b".into(), "c".into()];
        DemoState::new("t".to_owned(), 2, Duration::from_secs(2), names)
    }

    #[test]
    fn a_standstill_is_reported_after_two_intervals_with_the_stopped_operators() {
        let mut state = state();
        state.operators[1].running = true;
        let at = |seconds| state.began + Duration::from_secs(seconds);
        assert_eq!(
            state.standstill(at(4)),
            None,
            "an absent leader costs a round"
        );
        let why = state.standstill(at(5)).expect("a standstill");
        assert_eq!(why, "1 of the 2 that must sign are running; stopped: a, c");
    }

    #[test]
    fn with_enough_operators_running_their_own_reason_is_shown() {
        let mut state = state();
        for operator in &mut state.operators {
            operator.running = true;
        }
        state.cut = vec![(0, 1), (0, 2)];
        let later = state.began + Duration::from_secs(60);
        let why = |state: &DemoState| state.standstill(later).expect("a standstill");
        assert_eq!(why(&state), "3 operators are running; 2 links are cut");
        state.standstill = Some("heard 1 of the 2 that must sign; absent: b, c".to_owned());
        assert!(why(&state).contains("absent: b, c"));
    }

    #[test]
    fn two_hashes_at_one_height_are_a_fork() {
        let mut state = state();
        let height = BlockHeight::new(3);
        state.record_hash(height, BlockHash::from_bytes([1; 32]));
        state.record_hash(height, BlockHash::from_bytes([1; 32]));
        assert!(state.forks.is_empty());
        state.record_hash(height, BlockHash::from_bytes([2; 32]));
        assert_eq!(state.forks, [3]);
    }

    #[test]
    fn the_leader_is_that_of_the_foremost_running_operator() {
        let mut state = state();
        assert_eq!(state.leader(), None);
        state.operators[0].running = true;
        state.operators[0].height = BlockHeight::new(4);
        state.operators[0].leader = 1;
        state.operators[1].running = true;
        state.operators[1].height = BlockHeight::new(4);
        state.operators[1].round = 1;
        state.operators[1].leader = 2;
        assert_eq!(state.leader(), Some(2));
    }
}
