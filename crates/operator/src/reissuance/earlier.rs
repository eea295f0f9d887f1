//! Blocks from before a change of the chain's script. They are signed with other keys, and are
//! proven by a later block of the federation that builds on them.

use federation_chain::{Block, BlockHash, BlockHeight, CheckError, Header, SigningRules};
use federation_ocean_rpc::Node;

use super::follow::FollowError;

/// The most blocks of other signers that are proven at once, at 32 bytes each: eight years of
/// blocks every minute.
const MAX_PROVEN: usize = 1 << 22;

/// Blocks of other signers that are proven to belong to the chain.
#[derive(Default)]
pub(super) struct EarlierBlocks {
    /// The height of the first of them.
    first: BlockHeight,
    hashes: Vec<BlockHash>,
}

impl EarlierBlocks {
    /// Whether a block was proven to belong to the chain.
    pub(super) fn knows(&self, block: &Block) -> bool {
        let above = block.height().to_u32().checked_sub(self.first.to_u32());
        above
            .and_then(|above| self.hashes.get(usize::try_from(above).ok()?))
            .is_some_and(|known| *known == block.block_hash())
    }

    /// Proves a block that is not signed by the federation, by the headers that build on it up to
    /// the first one that is.
    ///
    /// # Errors
    /// If the block names the federation's script, and so must be signed with it; if no header
    /// above it is signed by the federation; or if the headers do not build on each other.
    pub(super) async fn prove(
        &mut self,
        block: &Block,
        why: CheckError,
        node: &dyn Node,
        rules: &SigningRules,
    ) -> Result<(), FollowError> {
        let height = block.height();
        let unsigned = |why| FollowError::Unsigned { height, why };
        if !matches!(
            why,
            CheckError::Challenge { .. } | CheckError::Dialect { .. }
        ) {
            return Err(unsigned(why));
        }
        let best = node.block_count().await?;
        let mut hashes = vec![block.block_hash()];
        let mut above = height;
        while above < best && hashes.len() < MAX_PROVEN {
            above = above.next();
            let header = ask(node, rules, above).await?;
            if hashes.last() != Some(&header.previous()) {
                return Err(FollowError::Other(above));
            }
            if rules.check_stored_block(&header).is_ok() {
                self.first = height;
                self.hashes = hashes;
                return Ok(());
            }
            hashes.push(header.block_hash());
        }
        Err(unsigned(why))
    }
}

/// Requests the node's header at a height.
async fn ask(
    node: &dyn Node,
    rules: &SigningRules,
    height: BlockHeight,
) -> Result<Header, FollowError> {
    let hash = node.block_hash(height).await?;
    let bytes = node.header(hash).await?;
    let header = Header::decode(rules.dialect(), &bytes)
        .map_err(|why| FollowError::Block { height, why })?;
    if header.block_hash() != hash || header.height() != height {
        return Err(FollowError::Other(height));
    }
    Ok(header)
}
