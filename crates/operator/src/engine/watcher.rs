//! Watching the node's best block.

use std::{sync::Arc, time::Duration};

use federation_block_signing::Tip;
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_ocean_rpc::{Node, RpcError};
use tokio::sync::{Notify, mpsc};

use super::Incoming;
use crate::NodeState;

/// The pause between two questions when a block is about to come.
const SHORT: Duration = Duration::from_millis(20);

/// When the node's best block may have changed.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// It took a block just now.
    pub(crate) submitted: Notify,
    /// A block was decided, and one of the others may submit it first.
    pub(crate) decided: Notify,
}

/// Asks the node for its best block again and again: seldom when nothing is to come, at once and
/// often when a block is.
pub(crate) struct Watcher {
    pub(crate) node: Arc<dyn Node>,
    pub(crate) genesis: BlockHash,
    pub(crate) inputs: mpsc::Sender<Incoming>,
    pub(crate) hints: Arc<Hints>,
    /// The pause between two questions when nothing is to come.
    pub(crate) idle: Duration,
}

/// What is known of the node.
#[derive(Debug, Default)]
struct Known {
    tip: Option<BlockHash>,
    first_block_time: Option<UnixTime>,
    /// Whether it answered the last time. A node that went away may come back as another one.
    is_same: bool,
}

impl Watcher {
    /// A pause that suits an interval: a twentieth of it, from 20 ms to a second.
    pub(crate) fn idle_for(interval: Duration) -> Duration {
        (interval / 20).clamp(SHORT, Duration::from_secs(1))
    }

    pub(crate) async fn run(self) {
        let mut known = Known::default();
        let mut state = NodeState::Unknown;
        let mut pause = self.idle;
        loop {
            let answer = self.look(&mut known).await;
            known.is_same = answer.is_ok();
            let now = match &answer {
                Ok(_) => NodeState::Up,
                Err(reason) => NodeState::Down(reason.clone()),
            };
            // Said when it changes between up and down, not at each failing question.
            if core::mem::discriminant(&now) != core::mem::discriminant(&state) {
                state = now.clone();
                if self.inputs.send(Incoming::Node(now)).await.is_err() {
                    return;
                }
            }
            if let Ok(Some(tip)) = answer {
                known.tip = Some(tip.hash);
                pause = self.idle;
                if self.inputs.send(Incoming::Tip(tip)).await.is_err() {
                    return;
                }
            }
            self.wait(&mut pause).await;
        }
    }

    /// Waits until it is time to ask again, and says how long to wait after that.
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

    /// The tip, if it is another than the known one; otherwise why there is none.
    async fn look(&self, known: &mut Known) -> Result<Option<Tip>, String> {
        if !known.is_same {
            let found = ask(self.node.block_hash(BlockHeight::GENESIS)).await?;
            if found != self.genesis {
                return Err(format!("it is on another chain now, with genesis {found}"));
            }
        }
        let hash = ask(self.node.best_block_hash()).await?;
        if known.tip == Some(hash) {
            return Ok(None);
        }
        let info = ask(self.node.header_info(hash)).await?;
        if info.height > BlockHeight::GENESIS && known.first_block_time.is_none() {
            let first = ask(self.node.block_hash(BlockHeight::new(1))).await?;
            let first = ask(self.node.header_info(first)).await?;
            known.first_block_time = Some(UnixTime::from_secs(first.time));
        }
        Ok(Some(Tip {
            height: info.height,
            hash,
            time: UnixTime::from_secs(info.time),
            median_time: UnixTime::from_secs(info.median_time),
            first_block_time: known
                .first_block_time
                .filter(|_| info.height > BlockHeight::GENESIS),
        }))
    }
}

async fn ask<T>(question: impl Future<Output = Result<T, RpcError>>) -> Result<T, String> {
    question.await.map_err(|error| error.to_string())
}
