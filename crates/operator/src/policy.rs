//! What a federation refuses beyond what its nodes refuse.

use async_trait::async_trait;
use federation_chain::Block;

/// A rule on blocks, asked about each proposal that the own node finds valid, before the prevote.
#[async_trait]
pub trait BlockPolicy: Send + Sync + 'static {
    /// Accepts a block, or says why not.
    ///
    /// # Errors
    /// The reason, for the log and the other operators' people.
    async fn check(&self, block: &Block) -> Result<(), String>;
}

/// Accepts what the node accepts.
#[derive(Debug, Clone, Copy, Default)]
pub struct AcceptAll;

#[async_trait]
impl BlockPolicy for AcceptAll {
    async fn check(&self, _block: &Block) -> Result<(), String> {
        Ok(())
    }
}
