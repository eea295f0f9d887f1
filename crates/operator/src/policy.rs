//! Policies: what a federation refuses beyond what its nodes refuse.

use std::sync::Arc;

use async_trait::async_trait;
use federation_chain::{Block, BlockHeight};
use federation_genesis::Sweep;

/// The height of the block that must contain the agreed sweep.
pub(crate) const SWEEP_HEIGHT: BlockHeight = BlockHeight::new(1);

/// A rule on blocks. It is asked before the prevote about each proposal that the operator's node
/// finds valid.
///
/// **A leader does not ask its own policy about its node's template.** What the policy refuses must
/// therefore be kept out of templates, by the node's mempool rules or by removing the transaction
/// from the mempool. Otherwise a transaction that all nodes relay and all policies refuse is in
/// every leader's proposal, everybody votes nil, and there is no block until the transaction is
/// gone. The one exception is [`BlockPolicy::sweep`], which a leader respects.
#[async_trait]
pub trait BlockPolicy: Send + Sync + 'static {
    /// Accepts a block or refuses it.
    ///
    /// # Errors
    /// The reason for a refusal, for the logs of this and the other operators.
    async fn check(&self, block: &Block) -> Result<(), String>;

    /// Returns the sweep that a block of this height must contain, which a leader hands to its node
    /// before it proposes. The default is `None`.
    fn sweep(&self, _height: BlockHeight) -> Option<&Sweep> {
        None
    }
}

/// Accepts every block that the node accepts.
#[derive(Debug, Clone, Copy, Default)]
pub struct AcceptAll;

#[async_trait]
impl BlockPolicy for AcceptAll {
    async fn check(&self, _block: &Block) -> Result<(), String> {
        Ok(())
    }
}

/// Requires the agreed sweep in block 1, which secures the coins of the genesis block that anyone
/// could take, and otherwise asks another policy.
pub struct RequireSweep {
    sweep: Sweep,
    next: Arc<dyn BlockPolicy>,
}

impl RequireSweep {
    /// Requires this sweep in block 1, and asks another policy next.
    #[must_use]
    pub fn new(sweep: Sweep, next: Arc<dyn BlockPolicy>) -> Self {
        Self { sweep, next }
    }
}

/// Checks that a block contains the sweep.
pub(crate) fn check_has_sweep(sweep: &Sweep, block: &Block) -> Result<(), String> {
    if has_transaction(block, sweep)? {
        Ok(())
    } else {
        Err(format!(
            "block 1 lacks the agreed sweep {}, without which anyone could take the coins of the genesis block",
            sweep.txid()
        ))
    }
}

/// Whether a block contains the sweep.
pub(crate) fn has_transaction(block: &Block, sweep: &Sweep) -> Result<bool, String> {
    let ids = block.transaction_ids().map_err(|error| error.to_string())?;
    Ok(ids.contains(&sweep.txid().to_byte_array()))
}

#[async_trait]
impl BlockPolicy for RequireSweep {
    async fn check(&self, block: &Block) -> Result<(), String> {
        if block.height() == SWEEP_HEIGHT {
            check_has_sweep(&self.sweep, block)?;
        }
        self.next.check(block).await
    }

    fn sweep(&self, height: BlockHeight) -> Option<&Sweep> {
        (height == SWEEP_HEIGHT)
            .then_some(&self.sweep)
            .or_else(|| self.next.sweep(height))
    }
}

impl core::fmt::Debug for RequireSweep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RequireSweep")
            .field("sweep", &self.sweep.txid())
            .finish_non_exhaustive()
    }
}
