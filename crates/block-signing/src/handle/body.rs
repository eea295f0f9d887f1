//! A block's bytes from another operator.

use federation_chain::UnixTime;
use federation_roster::OperatorId;

use crate::{Candidate, Machine, bodies::Validity};

use super::RelativeHeight;

impl Machine {
    /// R27: keeps the body if something refers to it, otherwise one per sender.
    pub(crate) fn on_body(&mut self, now: UnixTime, from: OperatorId, candidate: Candidate) {
        if from.index() >= self.config.size() || from == self.config.me() {
            return;
        }
        let (hash, bytes) = (candidate.hash, candidate.bytes.len());
        self.timing.arrived(from, hash, bytes, now);
        match self.relative_height(candidate.height) {
            RelativeHeight::Current => {
                let Some(mut rules) = self.rules(now) else {
                    return;
                };
                let bodies = &mut rules.height.keeper.bodies;
                if bodies.insert(from, candidate, Validity::Unknown) {
                    rules.trim_bodies();
                }
            }
            RelativeHeight::Next => {
                let bodies = &mut self.next.bodies;
                if bodies.insert(from, candidate, Validity::Unknown) {
                    let decided = self.next.decision.iter().map(|decision| decision.hash);
                    bodies.trim(&decided.collect());
                }
            }
            RelativeHeight::Last | RelativeHeight::Far => {}
        }
    }
}
