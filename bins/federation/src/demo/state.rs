//! What the demo shows: the federation as one picture, filled from the operators' events.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
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
}

impl DemoState {
    /// A picture of operators that have not begun yet.
    pub(crate) fn new(title: String, threshold: usize, names: Vec<String>) -> Self {
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
        self.blocks.push_front(block);
        self.blocks.truncate(KEPT_BLOCKS);
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
        DemoState::new("t".to_owned(), 2, vec!["a".into(), "b".into(), "c".into()])
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
