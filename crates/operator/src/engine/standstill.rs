//! Reporting a standstill of the chain: feeds the [`StandstillWatch`], and reports what it finds.

mod links;
mod watch;

use std::collections::BTreeSet;

use federation_block_signing::{Duty, Tip};
use tokio::time::Instant;

use self::watch::{OwnFailed, StandstillEnd, View};
pub(super) use self::{links::Links, watch::StandstillWatch};
use super::Engine;
use crate::OperatorEvent;

impl Engine {
    /// Reports the end of a standstill, if there was one.
    pub(super) fn end_standstill(&mut self, tip: &Tip) {
        let (now, clock) = (Instant::now(), self.clock.now());
        let moved = self.standstill.record_tip(tip.height, tip.time, now, clock);
        self.peer_heights.pause();
        self.links.forget();
        if let Some(StandstillEnd { after }) = moved {
            self.log.standstill_end(tip.height, after);
            let height = tip.height;
            self.publish(OperatorEvent::MovesAgain { height, after });
        }
    }

    /// Reports a standstill and who is missing, in the log, as an event and in the status.
    pub(super) fn check_standstill(&mut self) {
        let now = Instant::now();
        if !self.standstill.is_due(now) {
            return;
        }
        let machine = self.machine.status();
        let mut connected = BTreeSet::new();
        if self.standstill.is_late(now) {
            connected = self.links.connected();
            // Before there is a tip, the watcher waits for operators that are ahead, and reports
            // them.
            if self.standstill.knows_tip() {
                for (id, height) in self.peer_heights.take_new() {
                    if height.to_u32().abs_diff(machine.height.to_u32()) > 1 {
                        self.standstill.record_far_height(id, height, now);
                    }
                }
            }
        }
        let node = self.status.borrow().node.clone();
        let view = View {
            height: machine.height,
            round: machine.round,
            phase: machine.phase,
            observing: machine.observing,
            node: &node,
            connected: &connected,
            own_failed: OwnFailed {
                to_sign: self.duties.fails_at(Duty::Sign, machine.height),
                to_vote: self.duties.fails_at(Duty::Vote, machine.height),
            },
        };
        let result = self.standstill.check(&view, now);
        if let Some(standstill) = result.standstill.as_ref().filter(|_| result.report) {
            self.log.standstill(standstill, self.clock.now());
            self.publish(OperatorEvent::StandsStill(standstill.clone()));
        }
        self.status.send_if_modified(|status| {
            let is_new = status.standstill != result.standstill;
            status.standstill = result.standstill;
            is_new
        });
    }
}
