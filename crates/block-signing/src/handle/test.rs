//! The verdict of node and policy on a proposed block.

use crate::{Candidate, Machine, Verdict};

impl Machine {
    /// R5: records the verdict.
    pub(crate) fn on_tested(&mut self, candidate: &Candidate, verdict: Verdict) {
        if let Some(current) = self.current(candidate.height) {
            current.keeper.bodies.finish_test(candidate, verdict);
        }
    }
}
