//! What the demo shows: the federation as one picture, filled from the operators' events.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use federation_chain::{BlockHash, BlockHeight};
use serde::Serialize;

/// How many blocks the picture keeps.
const KEPT_BLOCKS: usize = 64;
/// How many news lines the picture keeps.
const KEPT_NEWS: usize = 64;

/// The picture, to be drawn while the federation is at work.
#[derive(Debug, Clone)]
pub(crate) struct Picture(Arc<Mutex<DemoState>>);

impl Picture {
    pub(crate) fn new(state: DemoState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// What it shows now. Not to be held while something is waited for.
    pub(crate) fn now(&self) -> MutexGuard<'_, DemoState> {
        // Each change is whole before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line of news.
    pub(crate) fn tell(&self, news: String) {
        self.now().tell(news);
    }
}

/// One operator, as seen from outside.
#[derive(Debug, Clone)]
pub(crate) struct OperatorRow {
    /// Its name in the roster.
    pub(crate) name: String,
    /// Whether it runs.
    pub(crate) running: bool,
    /// The height that it works on.
    pub(crate) height: BlockHeight,
    /// The round of that height.
    pub(crate) round: u32,
    /// What it does now.
    pub(crate) phase: String,
    /// Milliseconds from its last height's start to the block on its node.
    pub(crate) last_ms: Option<u64>,
    /// Blocks that hold its signature, of those it could have signed since the demo began.
    pub(crate) signed: u32,
    /// The last alarm, if any.
    pub(crate) alarm: Option<String>,
}

/// One finished block: also the demo's line of JSON.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BlockRow {
    /// Its height.
    pub(crate) height: u32,
    /// Its hash, as RPC shows it.
    pub(crate) hash: String,
    /// The round that decided it.
    pub(crate) round: u32,
    /// Who proposed it.
    pub(crate) leader: String,
    /// Whose signatures it holds, in the order of the script.
    pub(crate) signers: Vec<String>,
    /// Milliseconds from the height's start to the submit, at the operator that was first.
    pub(crate) ms: u64,
    /// How many transactions it holds, the coinbase among them.
    pub(crate) transactions: usize,
    /// What the transactions did with assets.
    pub(crate) assets: Vec<String>,
}

/// A link between two operators that the user has cut.
pub(crate) type Link = (usize, usize);

/// The federation as one picture.
#[derive(Debug, Clone)]
pub(crate) struct DemoState {
    /// What runs, in one line.
    pub(crate) title: String,
    /// M.
    pub(crate) threshold: usize,
    /// The time from one block to the next.
    pub(crate) interval: Duration,
    /// When the demo began.
    pub(crate) began: Instant,
    /// The operators, by their place in the roster.
    pub(crate) operators: Vec<OperatorRow>,
    /// The last blocks, newest first.
    pub(crate) blocks: VecDeque<BlockRow>,
    /// What happened, newest first.
    pub(crate) news: VecDeque<String>,
    /// How many news there have been.
    pub(crate) told: u64,
    /// Links cut by the user.
    pub(crate) cut: Vec<Link>,
    /// The hash that each height has, to see a fork.
    hashes: BTreeMap<u32, BlockHash>,
    /// Heights at which two nodes had different blocks.
    pub(crate) forks: Vec<u32>,
    /// When the last block came.
    pub(crate) last_block: Option<Instant>,
    /// The longest time between two blocks, in milliseconds.
    pub(crate) longest_gap_ms: u64,
    /// Blocks that were finished.
    pub(crate) finished: u32,
    /// What an operator said last of why the chain stands still.
    pub(crate) standstill: Option<String>,
}

impl DemoState {
    /// A picture of operators that have not begun yet.
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
            told: 0,
            cut: Vec::new(),
            hashes: BTreeMap::new(),
            forks: Vec::new(),
            last_block: None,
            longest_gap_ms: 0,
            finished: 0,
            standstill: None,
        }
    }

    /// Remembers what one node holds at a height; a second hash is a fork.
    pub(crate) fn saw_hash(&mut self, height: BlockHeight, hash: BlockHash) {
        let known = *self.hashes.entry(height.to_u32()).or_insert(hash);
        if known != hash && !self.forks.contains(&height.to_u32()) {
            self.forks.push(height.to_u32());
            self.tell(format!("FORK at height {height}: {known} and {hash}"));
        }
    }

    /// Whether a block of this height is in the picture already.
    pub(crate) fn has_block(&self, height: BlockHeight) -> bool {
        self.blocks.iter().any(|b| b.height == height.to_u32())
    }

    /// Adds a block that some operator was the first to finish.
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

    /// How long ago the last block came, or the demo began.
    pub(crate) fn since_last_block(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_block.unwrap_or(self.began))
    }

    /// Why the chain stands still, if it does: as operators do, the picture says so after two
    /// intervals, and not sooner than three seconds after a block is due.
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
                "{running} of the {} that must sign run; stopped: {}",
                self.threshold,
                stopped.join(", ")
            ));
        }
        if let Some(said) = &self.standstill {
            return Some(said.clone());
        }
        let links = match self.cut.len() {
            0 => String::new(),
            1 => "; a link is cut".to_owned(),
            cut => format!("; {cut} links are cut"),
        };
        Some(format!("{running} operators run{links}"))
    }

    /// Adds a line of news.
    pub(crate) fn tell(&mut self, news: String) {
        let seconds = self.began.elapsed().as_secs_f32();
        self.news.push_front(format!("{seconds:7.1} s  {news}"));
        self.news.truncate(KEPT_NEWS);
        self.told += 1;
    }

    /// Who leads the round that most running operators are in, if any runs.
    pub(crate) fn leader(&self) -> Option<usize> {
        let front = self
            .operators
            .iter()
            .filter(|o| o.running)
            .map(|o| (o.height, o.round))
            .max()?;
        let turn = u64::from(front.0.to_u32()) + u64::from(front.1);
        usize::try_from(turn % u64::try_from(self.operators.len()).ok()?).ok()
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
    fn a_standstill_is_told_after_two_intervals_with_who_is_missing() {
        let mut state = state();
        state.operators[1].running = true;
        let at = |seconds| state.began + Duration::from_secs(seconds);
        assert_eq!(
            state.standstill(at(4)),
            None,
            "an absent leader takes a round"
        );
        let why = state.standstill(at(5)).expect("it stands still");
        assert_eq!(why, "1 of the 2 that must sign run; stopped: a, c");
    }

    #[test]
    fn with_enough_running_the_operators_themselves_say_why() {
        let mut state = state();
        for operator in &mut state.operators {
            operator.running = true;
        }
        state.cut = vec![(0, 1), (0, 2)];
        let later = state.began + Duration::from_secs(60);
        let why = |state: &DemoState| state.standstill(later).expect("it stands still");
        assert_eq!(why(&state), "3 operators run; 2 links are cut");
        state.standstill = Some("heard 1 of the 2 that must sign; absent: b, c".to_owned());
        assert!(why(&state).contains("absent: b, c"));
    }

    #[test]
    fn two_hashes_at_one_height_are_a_fork() {
        let mut state = state();
        let height = BlockHeight::new(3);
        state.saw_hash(height, BlockHash::from_bytes([1; 32]));
        state.saw_hash(height, BlockHash::from_bytes([1; 32]));
        assert!(state.forks.is_empty());
        state.saw_hash(height, BlockHash::from_bytes([2; 32]));
        assert_eq!(state.forks, [3]);
    }

    #[test]
    fn the_leader_is_of_the_foremost_running_operator() {
        let mut state = state();
        assert_eq!(state.leader(), None);
        state.operators[0].running = true;
        state.operators[0].height = BlockHeight::new(4);
        state.operators[0].round = 1;
        assert_eq!(state.leader(), Some(2));
    }
}
