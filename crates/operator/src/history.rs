//! What the chain says that the operator's block key has signed, against what its guard remembers.
//!
//! At the start all blocks above the guard's memory are looked at, and later each new one before the
//! machine hears of it: a machine that was set back together with its node learns from the blocks
//! that come in what its former life signed, before it can vote where that one has voted. Headers are
//! asked for one by one, from the tip down: nothing is kept of them.

use std::{sync::Arc, time::Duration};

use federation_chain::{BlockHash, BlockHeight, Header, UnixTime};
use federation_ocean_rpc::{Node, RpcError};
use federation_roster::{Federation, OperatorId};
use federation_signer::{AUDIT_HEIGHTS, GuardError, GuardedSigner, Signer};

use crate::Clock;

/// How far below the last tip is looked again when the node has put another block in its place.
const REPLACED: u32 = 100;

/// From so many blocks on it is said that they are being read.
const MANY: u32 = 1000;

/// Which blocks with an own signature the guard must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// All above this height: it is what the guard knew at the start, if anything.
    Above(Option<BlockHeight>),
    /// An observer knows nothing of what its former life signed, but that one is over: all that were
    /// made after this time.
    Since(UnixTime),
}

/// Why a block was not passed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error(transparent)]
    Node(#[from] RpcError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A header of the node's that is none of this federation's.
    #[error("block {0}: {1}")]
    Header(BlockHash, String),
    /// The key signed a block that the guard does not know of.
    #[error("block {hash} at height {height} has an unknown own signature")]
    Unknown {
        height: BlockHeight,
        hash: BlockHash,
    },
}

/// Compares chain and guard.
pub(crate) struct History {
    pub(crate) federation: Arc<Federation>,
    pub(crate) me: OperatorId,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) signer: Arc<GuardedSigner<Box<dyn Signer>>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) max_drift: Duration,
    pub(crate) known: Known,
    /// The tip up to which all was looked at.
    pub(crate) seen: Option<(BlockHeight, BlockHash)>,
    /// Who signed the last tip that was looked at.
    pub(crate) signers: Option<(BlockHash, Vec<OperatorId>)>,
}

impl History {
    /// Looks at all blocks from this tip down to what was looked at before.
    ///
    /// # Errors
    /// The first block from above that the guard should know and does not; or what kept node or
    /// guard from answering: then nothing counts as looked at.
    pub(crate) async fn look(&mut self, tip: BlockHash) -> Result<(), HistoryError> {
        let mut hash = tip;
        let mut top = None;
        if self.seen.is_some_and(|seen| seen.1 == tip) {
            return Ok(());
        }
        // What the guard knows needs no look at its signatures, and that is most blocks.
        let known = self.signer.records().await?;
        // Of what is so far below the highest final height the guard keeps nothing: a node that has lost
        // its blocks and loads them again shows nothing new there.
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
            if read == MANY {
                tracing::info!(
                    from = %highest,
                    "reading many headers, for blocks with an own signature"
                );
            }
            if known.signed(height) != Some(hash) {
                self.judge(height, hash, &header).await?;
            }
            hash = header.previous();
        }
        // Never lower: a node that is set back shows its old blocks again on the way up.
        let higher = |top: &(BlockHeight, BlockHash)| self.seen.is_none_or(|seen| seen.0 <= top.0);
        self.seen = top.filter(higher).or(self.seen);
        Ok(())
    }

    /// The height at and below which nothing is looked at.
    fn floor(&self) -> BlockHeight {
        let seen = self.seen.map_or(0, |seen| seen.0.to_u32());
        let again = BlockHeight::new(seen.saturating_sub(REPLACED));
        match self.known {
            Known::Above(known) => again.max(known.unwrap_or(BlockHeight::GENESIS)),
            Known::Since(_) => again,
        }
    }

    async fn judge(
        &self,
        height: BlockHeight,
        hash: BlockHash,
        header: &Header,
    ) -> Result<(), HistoryError> {
        if !self.counts(UnixTime::from_secs(header.time().into())) || !self.is_own(header) {
            return Ok(());
        }
        let known = self.signer.records().await?.signed(height);
        if known == Some(hash) {
            Ok(())
        } else {
            Err(HistoryError::Unknown { height, hash })
        }
    }

    /// Whether a block of this time must be known. One of after the start of the observing was
    /// agreed on by operators whose clocks may be behind by the drift, and its time may be ahead of
    /// theirs by the drift. Times that run ahead of the clock, as those of chains with blocks faster
    /// than their seconds do, tell nothing.
    fn counts(&self, time: UnixTime) -> bool {
        match self.known {
            Known::Above(_) => true,
            Known::Since(start) => {
                time > start.after(self.max_drift * 2)
                    && time <= self.clock.now().after(self.max_drift)
            }
        }
    }

    /// Whose signatures a block has, as its header shows them.
    ///
    /// # Errors
    /// What kept the node from answering, if the block was not looked at just before.
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

    /// Whose signatures a block has. One that another script has signed, before the chain changed to
    /// the federation's, has none.
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
            Err(HistoryError::Header(hash, format!("the node gave {found}")))
        }
    }
}

/// The highest of the last blocks, from this tip down, that has a signature by the operator's key.
///
/// # Errors
/// If the node does not answer, or a header is none of this federation's.
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
