//! Watches the node's best block.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use federation_block_signing::Tip;
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_ocean_rpc::{Node, RpcError};
use federation_roster::OperatorId;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use super::{
    Incoming,
    catch_up::{CatchUp, NodeView, PeerHeights, WaitReason},
};
use crate::{
    Clock, NodeState, OperatorError,
    history::{History, HistoryError},
};

/// The pause between two requests when a block is about to come.
const SHORT: Duration = Duration::from_millis(20);

/// The pause before it is logged again that the node is behind the chain. It doubles up to
/// [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);

/// Tells the watcher that the node's best block may have changed.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// The node has just accepted a block.
    pub(crate) submitted: Notify,
    /// A block was decided, and another operator may submit it first.
    pub(crate) decided: Notify,
}

/// Polls the node's best block: seldom when none is expected, at once and often when one is.
pub(crate) struct Watcher {
    pub(crate) node: Arc<dyn Node>,
    pub(crate) genesis: BlockHash,
    pub(crate) inputs: mpsc::Sender<Incoming>,
    pub(crate) hints: Arc<Hints>,
    /// The pause between two requests when no block is expected.
    pub(crate) idle: Duration,
    /// Compares the chain with the guard, beginning above the tip that was seen at the start.
    pub(crate) history: History,
    /// Set if the operator began with an empty store on a chain without blocks: the first block
    /// must not be older than this.
    pub(crate) fresh_since: Option<UnixTime>,
    /// Decides when the first tip may pass.
    pub(crate) catch_up: CatchUp,
    pub(crate) peer_heights: Arc<PeerHeights>,
    /// The height the machine works on, for the ingress.
    pub(crate) height: Arc<AtomicU32>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What is known about the node.
#[derive(Debug, Default)]
struct NodeKnowledge {
    tip: Option<BlockHash>,
    first_block_time: Option<UnixTime>,
    /// Whether the node answered the last time. A node that went away may come back with another
    /// chain.
    is_same: bool,
}

/// Logs what is being waited for: once, and again with growing pauses.
#[derive(Debug)]
struct Waiting {
    since: Instant,
    logged: Option<(Instant, Duration)>,
    why: Option<WaitReason>,
}

impl Waiting {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            logged: None,
            why: None,
        }
    }

    fn log(&mut self, why: WaitReason) {
        // Listening is normal.
        if why == WaitReason::Listen {
            return;
        }
        let now = Instant::now();
        let pause = match self.logged {
            Some((at, pause)) if now < at + pause => return,
            Some((_, pause)) => (pause * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.logged = Some((now, pause));
        tracing::warn!(%why, "node is behind the chain: waiting for it, without voting");
    }

    fn end(&self) {
        if self.logged.is_some() {
            tracing::info!("node has caught up");
        }
    }
}

/// Why the tip could not be read.
enum TipError {
    /// The node does not answer and will be asked again.
    Down(String),
    /// The operator must end.
    End(OperatorError),
}

impl From<String> for TipError {
    fn from(reason: String) -> Self {
        Self::Down(reason)
    }
}

impl From<HistoryError> for TipError {
    fn from(error: HistoryError) -> Self {
        match error {
            error @ (HistoryError::Node(_) | HistoryError::Header(..)) => {
                Self::Down(error.to_string())
            }
            HistoryError::Guard(error) => Self::End(error.into()),
            HistoryError::Unknown { height, hash } => {
                Self::End(OperatorError::OldStore { height, hash })
            }
        }
    }
}

impl Watcher {
    /// Returns the idle pause for an interval: a twentieth of it, between 20 ms and a second.
    pub(crate) fn idle_for(interval: Duration) -> Duration {
        (interval / 20).clamp(SHORT, Duration::from_secs(1))
    }

    /// Watches until the engine is gone.
    ///
    /// # Errors
    /// An error found on the chain that ends the operator.
    pub(crate) async fn run(mut self) -> Result<(), OperatorError> {
        let mut known = NodeKnowledge::default();
        let mut state = NodeState::Unknown;
        let mut pause = self.idle;
        let mut waiting = Some(Waiting::new());
        loop {
            let answer = self.check_tip(&mut known, &mut waiting).await;
            known.is_same = answer.is_ok();
            let now = match &answer {
                Ok(_) => waiting
                    .as_ref()
                    .and_then(|waiting| waiting.why)
                    .map_or(NodeState::Up, |why| NodeState::Waiting(why.to_string())),
                Err(TipError::Down(reason)) => NodeState::Down(reason.clone()),
                Err(TipError::End(error)) => return Err(error.clone()),
            };
            // Reported when the node goes up or down, not at each failing request.
            let is_news = match (&now, &state) {
                (NodeState::Waiting(now), NodeState::Waiting(before)) => now != before,
                _ => core::mem::discriminant(&now) != core::mem::discriminant(&state),
            };
            if is_news {
                state = now.clone();
                if self.inputs.send(Incoming::Node(now)).await.is_err() {
                    return Ok(());
                }
            }
            if let Ok(Some((tip, signers))) = answer {
                known.tip = Some(tip.hash);
                pause = self.idle;
                if self.inputs.send(Incoming::Tip(tip, signers)).await.is_err() {
                    return Ok(());
                }
            }
            self.wait(&mut pause).await;
        }
    }

    /// Waits until it is time to ask again, and sets the pause after that.
    async fn wait(&self, pause: &mut Duration) {
        tokio::select! {
            biased;
            () = self.hints.submitted.notified() => *pause = SHORT,
            () = self.hints.decided.notified() => {
                *pause = SHORT;
                tokio::select! {
                    () = self.hints.submitted.notified() => {}
                    () = tokio::time::sleep(SHORT) => {}
                }
            }
            () = tokio::time::sleep(*pause) => *pause = (*pause * 2).min(self.idle),
        }
    }

    /// Returns the node's tip and its signers if the tip has changed, after all blocks below it
    /// were compared with the guard.
    async fn check_tip(
        &mut self,
        known: &mut NodeKnowledge,
        waiting: &mut Option<Waiting>,
    ) -> Result<Option<(Tip, Vec<OperatorId>)>, TipError> {
        if !known.is_same {
            let found = ask(self.node.block_hash(BlockHeight::GENESIS)).await?;
            if found != self.genesis {
                return Err(TipError::Down(format!(
                    "the node is now on another chain, with genesis {found}"
                )));
            }
        }
        if let Some(pending) = waiting {
            pending.why = self.check_catch_up(pending).await?;
            if let Some(why) = pending.why {
                pending.log(why);
                return Ok(None);
            }
            pending.end();
            *waiting = None;
            CatchUp::end(&self.peer_heights);
        }
        let hash = ask(self.node.best_block_hash()).await?;
        if known.tip == Some(hash) {
            return Ok(None);
        }
        let info = ask(self.node.header_info(hash)).await?;
        if info.height > BlockHeight::GENESIS && known.first_block_time.is_none() {
            let first = ask(self.node.block_hash(BlockHeight::new(1))).await?;
            let first = ask(self.node.header_info(first)).await?;
            let time = UnixTime::from_secs(first.time);
            self.check_fresh(time)?;
            known.first_block_time = Some(time);
        }
        self.history.check(hash).await?;
        let signers = self.history.signers(hash).await?;
        let tip = Tip {
            height: info.height,
            hash,
            time: UnixTime::from_secs(info.time),
            median_time: UnixTime::from_secs(info.median_time),
            first_block_time: known
                .first_block_time
                .filter(|_| info.height > BlockHeight::GENESIS),
        };
        Ok(Some((tip, signers)))
    }

    /// Returns what is still to be waited for before the first tip may pass.
    async fn check_catch_up(&self, waiting: &Waiting) -> Result<Option<WaitReason>, TipError> {
        let info = ask(self.node.blockchain_info()).await?;
        let tip = ask(self.node.header_info(info.best_block_hash)).await?;
        // So that messages of this height pass the ingress meanwhile.
        self.height
            .store(info.blocks.next().to_u32(), Ordering::Relaxed);
        let view = NodeView {
            blocks: info.blocks,
            headers: info.headers,
            is_downloading: info.initial_block_download,
            age: self
                .clock
                .now()
                .saturating_duration_since(UnixTime::from_secs(tip.time)),
        };
        Ok(self
            .catch_up
            .remaining(&view, &self.peer_heights, waiting.since.elapsed()))
    }

    /// Refuses a chain whose first block is older than the start of an operator that took the chain
    /// for a new one: the operator does not know what its key may have signed there.
    fn check_fresh(&self, first_block: UnixTime) -> Result<(), TipError> {
        match self.fresh_since {
            Some(start) if first_block.saturating_add(self.history.max_drift * 2) < start => {
                Err(TipError::End(OperatorError::ChainHadBegun))
            }
            _ => Ok(()),
        }
    }
}

async fn ask<T>(question: impl Future<Output = Result<T, RpcError>>) -> Result<T, String> {
    question.await.map_err(|error| error.to_string())
}
