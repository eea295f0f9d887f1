//! What a federation refuses beyond what its nodes refuse.

use std::sync::Arc;

use async_trait::async_trait;
use federation_chain::{Block, BlockHeight};
use federation_genesis::Sweep;

/// Where the agreed sweep has its place.
pub(crate) const SWEPT: BlockHeight = BlockHeight::new(1);

/// A rule on blocks, asked about each proposal that the own node finds valid, before the prevote.
///
/// **A leader does not ask its own policy about the template of its node.** What the policy refuses
/// must therefore not get into templates, by the node's own rules for its mempool or by taking the
/// transaction out of it. Otherwise one transaction that all nodes relay and all policies refuse is
/// in every leader's proposal, everybody votes for nil on it, and no block comes until it is gone. The
/// one exception is [`BlockPolicy::sweep`], which a leader asks for.
#[async_trait]
pub trait BlockPolicy: Send + Sync + 'static {
    /// Accepts a block, or says why not.
    ///
    /// # Errors
    /// The reason, for the log and the other operators' people.
    async fn check(&self, block: &Block) -> Result<(), String>;

    /// The sweep without which no block of this height is accepted, so that a leader hands it to its
    /// node before it proposes. None if not said otherwise.
    fn sweep(&self, _height: BlockHeight) -> Option<&Sweep> {
        None
    }
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

/// Accepts no block 1 without the agreed sweep, which takes the coins of the genesis that anyone
/// could take, and asks another rule about all else.
pub struct WantSweep {
    sweep: Sweep,
    next: Arc<dyn BlockPolicy>,
}

impl WantSweep {
    /// The rule that wants this sweep in block 1, before another rule.
    #[must_use]
    pub fn new(sweep: Sweep, next: Arc<dyn BlockPolicy>) -> Self {
        Self { sweep, next }
    }
}

/// Says why a block is not the one with the sweep.
pub(crate) fn check_swept(sweep: &Sweep, block: &Block) -> Result<(), String> {
    if has_transaction(block, sweep)? {
        Ok(())
    } else {
        Err(format!(
            "block 1 lacks the agreed sweep {}, without which anyone could take the coins of the genesis",
            sweep.txid()
        ))
    }
}

/// Whether a block has the sweep.
pub(crate) fn has_transaction(block: &Block, sweep: &Sweep) -> Result<bool, String> {
    let ids = block.transaction_ids().map_err(|error| error.to_string())?;
    Ok(ids.contains(&sweep.txid().to_byte_array()))
}

#[async_trait]
impl BlockPolicy for WantSweep {
    async fn check(&self, block: &Block) -> Result<(), String> {
        if block.height() == SWEPT {
            check_swept(&self.sweep, block)?;
        }
        self.next.check(block).await
    }

    fn sweep(&self, height: BlockHeight) -> Option<&Sweep> {
        (height == SWEPT)
            .then_some(&self.sweep)
            .or_else(|| self.next.sweep(height))
    }
}

impl core::fmt::Debug for WantSweep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WantSweep")
            .field("sweep", &self.sweep.txid())
            .finish_non_exhaustive()
    }
}
