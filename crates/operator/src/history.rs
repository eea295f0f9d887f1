//! Compares the signatures of the operator's block key on the chain with those that its guard
//! knows.
//!
//! At the start all blocks above the guard's knowledge are checked, and later each new block before
//! the machine gets it. So a host that was restored from a backup together with its node learns
//! from the blocks that come in what its key had signed, before it can vote where it has voted
//! already. Headers are requested one by one from the tip down, and are not kept.

use std::{sync::Arc, time::Duration};

use federation_chain::{BlockHash, BlockHeight, Header, UnixTime};
use federation_ocean_rpc::{Node, RpcError};
use federation_roster::{Federation, OperatorId};
use federation_signer::{AUDIT_HEIGHTS, GuardError, GuardedSigner, Signer};

use crate::Clock;

/// How far below the last tip blocks are checked again when the node has replaced that tip.
const RECHECKED_BLOCKS: u32 = 100;

/// The number of blocks from which on a long check is logged.
const LONG_CHECK: u32 = 1000;

/// Which blocks with this operator's signature the guard must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All above this height, up to which the guard had knowledge at the start, if any.
    Above(Option<BlockHeight>),
    /// All that were made after this time. An observer does not know what its key signed before its
    /// memory was lost, but nothing signs with the key any more since then.
    Since(UnixTime),
}

/// Why the check of a block failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error(transparent)]
    Node(#[from] RpcError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The node returned a header that does not belong to this federation.
    #[error("block {0}: {1}")]
    Header(BlockHash, String),
    /// The key has signed a block that the guard does not know.
    #[error(
        "block {hash} at height {height} has a signature by this operator's key that its guard does not know"
    )]
    Unknown {
        height: BlockHeight,
        hash: BlockHash,
    },
}

/// Compares the chain with the guard.
pub(crate) struct History {
    pub(crate) federation: Arc<Federation>,
    pub(crate) me: OperatorId,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) signer: Arc<GuardedSigner<Box<dyn Signer>>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) max_drift: Duration,
    pub(crate) known: Scope,
    /// The tip up to which everything was checked.
    pub(crate) seen: Option<(BlockHeight, BlockHash)>,
    /// The signers of the last tip that was checked.
    pub(crate) signers: Option<(BlockHash, Vec<OperatorId>)>,
}

impl History {
    /// Checks all blocks from this tip down to those that were checked before.
    ///
    /// # Errors
    /// The first block from above that the guard should know and does not; or an error of node or
    /// guard, and then nothing counts as checked.
    pub(crate) async fn check(&mut self, tip: BlockHash) -> Result<(), HistoryError> {
        let mut hash = tip;
        let mut top = None;
        if self.seen.is_some_and(|seen| seen.1 == tip) {
            return Ok(());
        }
        // Most blocks are known to the guard, and their signatures need no check.
        let known = self.signer.records().await?;
        // The guard keeps no records this far below the highest final height, so when a node that
        // has lost its blocks loads them again, there is nothing to compare.
        let kept = known.highest_final().map_or(0, BlockHeight::to_u32);
        let kept = BlockHeight::new(kept.saturating_sub(AUDIT_HEIGHTS));
        while self.seen.is_none_or(|seen| seen.1 != hash) {
            let header = self.header(hash).await?;
            let height = header.height();
            let (highest, _) = *top.get_or_insert((height, hash));
            if hash == tip {
                self.signers = Some((tip, self.signers_of(&header)));
            }
            if height <= self.floor().max(kept) {
                break;
            }
            let read = highest.to_u32() - height.to_u32();
            if read == LONG_CHECK {
                tracing::info!(
                    from = %highest,
                    "reading many headers, to find blocks signed by this operator's key"
                );
            }
            if known.signed(height) != Some(hash) {
                self.check_block(height, hash, &header).await?;
            }
            hash = header.previous();
        }
        // Never lower: a node that was reset shows its old blocks again on its way up.
        let higher = |top: &(BlockHeight, BlockHash)| self.seen.is_none_or(|seen| seen.0 <= top.0);
        self.seen = top.filter(higher).or(self.seen);
        Ok(())
    }

    /// Returns the height at and below which nothing is checked.
    fn floor(&self) -> BlockHeight {
        let seen = self.seen.map_or(0, |seen| seen.0.to_u32());
        let again = BlockHeight::new(seen.saturating_sub(RECHECKED_BLOCKS));
        match self.known {
            Scope::Above(known) => again.max(known.unwrap_or(BlockHeight::GENESIS)),
            Scope::Since(_) => again,
        }
    }

    async fn check_block(
        &self,
        height: BlockHeight,
        hash: BlockHash,
        header: &Header,
    ) -> Result<(), HistoryError> {
        if !self.is_in_scope(UnixTime::from_secs(header.time().into())) || !self.is_own(header) {
            return Ok(());
        }
        let known = self.signer.records().await?.signed(height);
        if known == Some(hash) {
            Ok(())
        } else {
            Err(HistoryError::Unknown { height, hash })
        }
    }

    /// Whether a block of this time must be known. A block from after the start as an observer was
    /// agreed on by operators whose clocks may be behind by the drift, and its time may be ahead of
    /// their clocks by the drift. Block times that run ahead of the clock, as on chains with
    /// several blocks per second, prove nothing.
    fn is_in_scope(&self, time: UnixTime) -> bool {
        match self.known {
            Scope::Above(_) => true,
            Scope::Since(start) => {
                time > start.saturating_add(self.max_drift * 2)
                    && time <= self.clock.now().saturating_add(self.max_drift)
            }
        }
    }

    /// Returns the operators that signed a block, as its header shows.
    ///
    /// # Errors
    /// If the header has to be requested and the node does not return a valid one.
    pub(crate) async fn signers(
        &mut self,
        hash: BlockHash,
    ) -> Result<Vec<OperatorId>, HistoryError> {
        match &self.signers {
            Some((known, signers)) if *known == hash => Ok(signers.clone()),
            _ => {
                let header = self.header(hash).await?;
                Ok(self.signers_of(&header))
            }
        }
    }

    /// Returns the operators that signed a header. One that was signed with another script, before
    /// the chain changed to the federation's, has none.
    fn signers_of(&self, header: &Header) -> Vec<OperatorId> {
        let positions = self.federation.rules().signers(header).unwrap_or_default();
        positions
            .into_iter()
            .filter_map(|position| self.federation.at_script_position(position))
            .collect()
    }

    fn is_own(&self, header: &Header) -> bool {
        self.signers_of(header).contains(&self.me)
    }

    async fn header(&self, hash: BlockHash) -> Result<Header, HistoryError> {
        let bytes = self.node.header(hash).await?;
        let header = Header::decode(self.federation.rules().dialect(), &bytes)
            .map_err(|error| HistoryError::Header(hash, error.to_string()))?;
        if header.block_hash() == hash {
            Ok(header)
        } else {
            let found = header.block_hash();
            Err(HistoryError::Header(
                hash,
                format!("the node returned block {found}"),
            ))
        }
    }
}

/// Returns the highest of the last blocks, from this tip down, that has a signature by the
/// operator's key.
///
/// # Errors
/// If the node does not answer, or a header does not belong to this federation.
pub(crate) async fn last_signed(
    history: &History,
    tip: BlockHash,
    blocks: u32,
) -> Result<Option<BlockHeight>, HistoryError> {
    let mut hash = tip;
    for _ in 0..blocks {
        let header = history.header(hash).await?;
        if header.height() == BlockHeight::GENESIS {
            return Ok(None);
        }
        if history.is_own(&header) {
            return Ok(Some(header.height()));
        }
        hash = header.previous();
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
