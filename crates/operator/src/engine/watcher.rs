//! Watching the node's best block.

use std::{sync::Arc, time::Duration};

use federation_block_signing::Tip;
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_ocean_rpc::{Node, RpcError};
use tokio::sync::{Notify, mpsc};

use super::Incoming;
use crate::NodeState;

/// Asks the node for its best block again and again, and at once when kicked.
pub(crate) struct Watcher {
    pub(crate) node: Arc<dyn Node>,
    pub(crate) inputs: mpsc::Sender<Incoming>,
    /// Kicked when a block was submitted, so that the new tip is seen at once.
    pub(crate) kick: Arc<Notify>,
    /// The pause between two questions.
    pub(crate) pause: Duration,
}

impl Watcher {
    /// A pause that suits an interval: a twentieth of it, from 20 ms to a second.
    pub(crate) fn pause_for(interval: Duration) -> Duration {
        (interval / 20).clamp(Duration::from_millis(20), Duration::from_secs(1))
    }

    pub(crate) async fn run(self) {
        let mut known: Option<BlockHash> = None;
        let mut first_block_time = None;
        let mut state = NodeState::Unknown;
        loop {
            let answer = self.look(known, &mut first_block_time).await;
            let now = match &answer {
                Ok(_) => NodeState::Up,
                Err(error) => NodeState::Down(error.to_string()),
            };
            // Said when it changes between up and down, not at each failing question.
            if core::mem::discriminant(&now) != core::mem::discriminant(&state) {
                state = now.clone();
                if self.inputs.send(Incoming::Node(now)).await.is_err() {
                    return;
                }
            }
            if let Ok(Some(tip)) = answer {
                known = Some(tip.hash);
                if self.inputs.send(Incoming::Tip(tip)).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.pause) => {}
                () = self.kick.notified() => {}
            }
        }
    }

    /// The tip, if it is another than the known one.
    async fn look(
        &self,
        known: Option<BlockHash>,
        first_block_time: &mut Option<UnixTime>,
    ) -> Result<Option<Tip>, RpcError> {
        let hash = self.node.best_block_hash().await?;
        if known == Some(hash) {
            return Ok(None);
        }
        let info = self.node.header_info(hash).await?;
        if info.height > BlockHeight::GENESIS && first_block_time.is_none() {
            let first = self.node.block_hash(BlockHeight::new(1)).await?;
            let first = self.node.header_info(first).await?;
            *first_block_time = Some(UnixTime::from_secs(first.time));
        }
        Ok(Some(Tip {
            height: info.height,
            hash,
            time: UnixTime::from_secs(info.time),
            median_time: UnixTime::from_secs(info.median_time),
            first_block_time: if info.height > BlockHeight::GENESIS {
                *first_block_time
            } else {
                None
            },
        }))
    }
}
