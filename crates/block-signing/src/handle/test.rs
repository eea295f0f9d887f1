//! What node and policy say of a proposed block.

use federation_chain::{BlockHash, BlockHeight};

use crate::{Machine, Verdict};

impl Machine {
    /// R5.
    pub(crate) fn on_tested(&mut self, height: BlockHeight, hash: BlockHash, verdict: Verdict) {
        if let Some(current) = self.current(height) {
            current.ballots.bodies.finish_test(hash, verdict);
        }
    }
}
