//! Reading the node's chain into a ledger, and believing of it only what the federation has signed.

use std::time::Duration;

use federation_chain::{
    Block, BlockHeight, CheckError, CommitmentError, DecodeError, Dialect, SigningRules,
};
use federation_ocean_rpc::{Node, RpcError};
use federation_reissuance::{Ledger, LedgerError, LedgerEvent};
use tokio::time::Instant;

use super::earlier::Earlier;

/// Blocks above this, in bytes, are hashed on a thread for blocking work.
const INLINE: usize = 32 * 1024;

/// How often a long reading says how far it has come.
const PROGRESS: Duration = Duration::from_secs(2);

/// Why the chain could not be read on.
///
/// Whatever the node gave was not believed, and nothing is lost by it: reading goes on where it was, as
/// soon as the node gives the federation's blocks.
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
    #[error("the block that the node gave for height {height} cannot be read: {why}")]
    Block {
        /// The height that was asked for.
        height: BlockHeight,
        /// What is wrong with it.
        why: DecodeError,
    },
    /// The node gave another block than the one asked for.
    #[error("the node gave another block than asked for at height {0}")]
    Other(BlockHeight),
    /// A block with other transactions than those that its hash commits to.
    #[error(
        "the transactions that the node gave for the block at height {height} are not its own: {why}"
    )]
    Commitments {
        /// The block's height.
        height: BlockHeight,
        /// What differs.
        why: CommitmentError,
    },
    /// A block that the federation did not sign.
    #[error(
        "the block that the node gave for height {height} is not signed by the federation: {why}"
    )]
    Unsigned {
        /// The block's height.
        height: BlockHeight,
        /// What is wrong with its signatures.
        why: CheckError,
    },
}

impl FollowError {
    /// Whether the node said something that is not so, rather than nothing.
    #[must_use]
    pub const fn is_false(&self) -> bool {
        !matches!(self, Self::Node(_) | Self::Ledger(_))
    }
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
/// A block is read if its hash is the one that follows the last block that was read, its transactions
/// and witnesses are those which the hash commits to, and M of the federation's keys have signed it. The
/// genesis block is known by its hash. Blocks that name other signers, from before a change of the
/// chain's script, are read if a later block which the federation signed stands on them.
///
/// # Errors
/// If the node gives no block, or one that is not believed or does not continue the ledger; what was
/// read before stays.
pub async fn follow(
    ledger: &mut Ledger,
    node: &dyn Node,
    rules: &SigningRules,
    to: BlockHeight,
    reading: &mut dyn Reading,
) -> Result<(), FollowError> {
    let mut told = Instant::now();
    let mut earlier = Earlier::default();
    while ledger.next_height() <= to {
        let height = ledger.next_height();
        let block = ask(node, rules.dialect(), height).await?;
        // The ledger knows the genesis block, which nobody signs.
        if height > BlockHeight::GENESIS
            && !earlier.knows(&block)
            && let Err(why) = rules.check_stored_block(block.header())
        {
            earlier.prove(&block, why, node, rules).await?;
        }
        for (index, event) in ledger.apply_block(&block)? {
            reading.said(height, index, &event);
        }
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            reading.progress(height, to);
        }
    }
    Ok(())
}

/// The node's block at a height, whole and with its own transactions.
async fn ask(node: &dyn Node, dialect: Dialect, height: BlockHeight) -> Result<Block, FollowError> {
    let hash = node.block_hash(height).await?;
    let bytes = node.block(hash).await?;
    let block = decode(dialect, bytes, height).map_err(|why| FollowError::Block { height, why })?;
    if block.block_hash() != hash || block.height() != height {
        return Err(FollowError::Other(height));
    }
    check_commitments(block)
        .await
        .map_err(|why| FollowError::Commitments { height, why })
}

/// The block, if its transactions are its own; a large one is hashed where it does not hold up other
/// tasks.
async fn check_commitments(block: Block) -> Result<Block, CommitmentError> {
    let check = |block: Block| block.check_stored_commitments().map(|()| block);
    if block.as_bytes().len() <= INLINE {
        return check(block);
    }
    let checked = tokio::task::spawn_blocking({
        let block = block.clone();
        move || check(block)
    });
    match checked.await {
        Ok(checked) => checked,
        // The thread is gone, as when the runtime ends.
        Err(_) => check(block),
    }
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

#[cfg(test)]
mod tests;
