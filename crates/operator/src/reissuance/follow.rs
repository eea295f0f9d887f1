//! Reading the node's chain into a ledger.

use std::time::Duration;

use federation_chain::{Block, BlockHeight, DecodeError, Dialect};
use federation_ocean_rpc::{Node, RpcError};
use federation_reissuance::{Ledger, LedgerError, LedgerEvent};
use tokio::time::Instant;

/// How often a long reading says how far it has come.
const PROGRESS: Duration = Duration::from_secs(2);

/// Why the chain could not be read on.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The node gave no answer.
    #[error("the node gave no block: {0}")]
    Node(#[from] RpcError),
    /// The block does not continue what was read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A block that cannot be read.
    #[error("the block at height {height} cannot be read: {source}")]
    Block {
        /// Its height.
        height: BlockHeight,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The node gave another block than the one asked for.
    #[error("the node gave another block than asked for at height {0}")]
    Other(BlockHeight),
}

/// What comes of reading, besides the ledger.
pub trait Reading: Send {
    /// A block said something of the asset at a place in the settings.
    fn said(&mut self, height: BlockHeight, index: usize, event: &LedgerEvent);
    /// Now and then, how far a long reading has come.
    fn progress(&mut self, height: BlockHeight, to: BlockHeight) {
        let _ = (height, to);
    }
}

/// Reads the node's blocks into a ledger, up to a height.
///
/// # Errors
/// If the node gives no block, or one that does not continue the ledger; what was read before stays.
pub async fn follow(
    ledger: &mut Ledger,
    node: &dyn Node,
    dialect: Dialect,
    to: BlockHeight,
    reading: &mut dyn Reading,
) -> Result<(), FollowError> {
    let mut told = Instant::now();
    while ledger.next_height() <= to {
        let height = ledger.next_height();
        let hash = node.block_hash(height).await?;
        let bytes = node.block(hash).await?;
        let unreadable = |source| FollowError::Block { height, source };
        let block = decode(dialect, bytes, height).map_err(unreadable)?;
        if block.block_hash() != hash {
            return Err(FollowError::Other(height));
        }
        let mut open = ledger.begin(height, hash, block.header().previous())?;
        block
            .each_transaction(|transaction| open.read(&transaction))
            .map_err(unreadable)?;
        for (index, event) in open.finish() {
            reading.said(height, index, &event);
        }
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            reading.progress(height, to);
        }
    }
    Ok(())
}

/// A block in the chain's form. The genesis block of a dynafed chain is still one of the older form.
fn decode(
    dialect: Dialect,
    bytes: bytes::Bytes,
    height: BlockHeight,
) -> Result<Block, DecodeError> {
    match dialect {
        Dialect::Dynafed if height == BlockHeight::GENESIS => {
            Block::decode(Dialect::Elements, bytes)
        }
        _ => Block::decode(dialect, bytes),
    }
}
