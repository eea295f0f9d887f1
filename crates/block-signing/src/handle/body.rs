//! A block's bytes from another operator.

use federation_chain::UnixTime;
use federation_roster::OperatorId;

use crate::{Candidate, Machine, bodies::Judgement};

use super::Place;

impl Machine {
    /// R27: kept if something refers to it, else one per sender.
    pub(crate) fn on_body(&mut self, now: UnixTime, from: OperatorId, candidate: Candidate) {
        if from.index() >= self.config.size() || from == self.config.me() {
            return;
        }
        let (hash, bytes) = (candidate.hash, candidate.bytes.len());
        self.pace.arrived(from, hash, bytes, now);
        match self.place(candidate.height) {
            Place::Current => {
                let Some(mut work) = self.work(now) else {
                    return;
                };
                let bodies = &mut work.height.ballots.bodies;
                if bodies.insert(from, candidate, Judgement::Unknown) {
                    work.trim_bodies();
                }
            }
            Place::Next => {
                let bodies = &mut self.next.bodies;
                if bodies.insert(from, candidate, Judgement::Unknown) {
                    let decided = self.next.decision.iter().map(|decision| decision.hash);
                    bodies.trim(&decided.collect());
                }
            }
            Place::Last | Place::Far => {}
        }
    }
}
