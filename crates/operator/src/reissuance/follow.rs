//! Reads the node's chain into a ledger, and believes only what the federation has signed.

use std::time::Duration;

use federation_chain::{
    Block, BlockHeight, CheckError, CommitmentError, DecodeError, Dialect, SigningRules,
};
use federation_ocean_rpc::{Node, RpcError};
use federation_reissuance::{Ledger, LedgerError, LedgerEvent};
use tokio::time::Instant;

use super::earlier::EarlierBlocks;

/// Blocks larger than this, in bytes, are hashed on a thread for blocking work.
const INLINE: usize = 32 * 1024;

/// How often the progress of a long read is reported.
const PROGRESS: Duration = Duration::from_secs(2);

/// Why reading the chain stopped.
///
/// What the node returned was not believed, and nothing is lost: reading continues at the same
/// height as soon as the node returns the federation's blocks.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The node did not answer.
    #[error("no block from the node: {0}")]
    Node(#[from] RpcError),
    /// The block does not continue what was read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A block could not be decoded.
    #[error("the node's block for height {height} cannot be decoded: {why}")]
    Block {
        /// The height that was asked for.
        height: BlockHeight,
        /// What is wrong with it.
        why: DecodeError,
    },
    /// The node returned another block than the one asked for.
    #[error("the node returned another block than the one asked for at height {0}")]
    Other(BlockHeight),
    /// A block's transactions are not those that its hash commits to.
    #[error(
        "the node returned other transactions for the block at height {height} than its hash commits to: {why}"
    )]
    Commitments {
        /// The block's height.
        height: BlockHeight,
        /// Which commitment differs.
        why: CommitmentError,
    },
    /// A block is not signed by the federation.
    #[error("the node's block for height {height} is not signed by the federation: {why}")]
    Unsigned {
        /// The block's height.
        height: BlockHeight,
        /// What is wrong with its signatures.
        why: CheckError,
    },
}

impl FollowError {
    /// Whether the node returned false data, as opposed to no data.
    #[must_use]
    pub const fn is_false_data(&self) -> bool {
        !matches!(self, Self::Node(_) | Self::Ledger(_))
    }
}

/// Receives what happens while the chain is read into a ledger.
pub trait Reading: Send {
    /// Receives an event of the asset with this index in the settings.
    fn on_event(&mut self, height: BlockHeight, index: usize, event: &LedgerEvent);
    /// Receives the progress of a long read now and then.
    fn on_progress(&mut self, height: BlockHeight, to: BlockHeight) {
        let _ = (height, to);
    }
}

/// Reads the node's blocks into a ledger, up to a height.
///
/// A block is read if it builds on the last block that was read, its hash commits to its
/// transactions and witnesses, and M of the federation's keys have signed it. The genesis block is
/// known by its hash. Blocks that name other signers, from before a change of the chain's script,
/// are read if a later block that the federation signed builds on them.
///
/// # Errors
/// If the node returns no block, or one that is not believed or does not continue the ledger. What
/// was read before stays in the ledger.
pub async fn follow(
    ledger: &mut Ledger,
    node: &dyn Node,
    rules: &SigningRules,
    to: BlockHeight,
    reading: &mut dyn Reading,
) -> Result<(), FollowError> {
    let mut reported = Instant::now();
    let mut earlier = EarlierBlocks::default();
    while ledger.next_height() <= to {
        let height = ledger.next_height();
        let block = ask(node, rules.dialect(), height).await?;
        // The ledger knows the genesis block, which is not signed.
        if height > BlockHeight::GENESIS
            && !earlier.knows(&block)
            && let Err(why) = rules.check_stored_block(block.header())
        {
            earlier.prove(&block, why, node, rules).await?;
        }
        for (index, event) in ledger.apply_block(&block)? {
            reading.on_event(height, index, &event);
        }
        if reported.elapsed() > PROGRESS {
            reported = Instant::now();
            reading.on_progress(height, to);
        }
    }
    Ok(())
}

/// Requests the node's block at a height, and checks its hash and transactions.
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

/// Returns the block if its hash commits to its transactions. A large block is hashed on a thread
/// for blocking work.
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
        // The thread is gone because the runtime is ending.
        Err(_) => check(block),
    }
}

/// Decodes a block in the chain's format. The genesis block of a dynafed chain still has the older
/// one.
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
