//! What node and policy say of a proposed block.

use crate::{Candidate, Machine, Verdict};

impl Machine {
    /// R5.
    pub(crate) fn on_tested(&mut self, candidate: &Candidate, verdict: Verdict) {
        if let Some(current) = self.current(candidate.height) {
            current.ballots.bodies.finish_test(candidate, verdict);
        }
    }
}
