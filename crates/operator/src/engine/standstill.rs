//! Reporting a standstill of the chain: feeds the [`Watch`], and reports what it finds.

mod links;
mod watch;

use std::collections::BTreeSet;

use federation_block_signing::{Duty, Tip};
use tokio::time::Instant;

use self::watch::{Moved, OwnFailed, View};
pub(super) use self::{links::Links, watch::Watch};
use super::Engine;
use crate::OperatorEvent;

impl Engine {
    /// Reports the end of a standstill, if there was one.
    pub(super) fn end_standstill(&mut self, tip: &Tip) {
        let (now, clock) = (Instant::now(), self.clock.now());
        let moved = self.standstill.tip(tip.height, tip.time, now, clock);
        self.heard.rest();
        self.links.rest();
        if let Some(Moved { after }) = moved {
            self.log.moves_again(tip.height, after);
            let height = tip.height;
            self.tell(OperatorEvent::MovesAgain { height, after });
        }
    }

    /// Reports a standstill and who is missing, in the log, as an event and in the status.
    pub(super) fn look_for_standstill(&mut self) {
        let now = Instant::now();
        if !self.standstill.is_due(now) {
            return;
        }
        let machine = self.machine.status();
        let mut connected = BTreeSet::new();
        if self.standstill.is_late(now) {
            connected = self.links.look();
            // Before there is a tip, the watcher waits for operators that are ahead, and reports
            // them.
            if self.standstill.knows_tip() {
                for (id, height) in self.heard.listen() {
                    if height.to_u32().abs_diff(machine.height.to_u32()) > 1 {
                        self.standstill.note_far(id, height, now);
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
                to_sign: self.account.fails_at(Duty::Sign, machine.height),
                to_vote: self.account.fails_at(Duty::Vote, machine.height),
            },
        };
        let look = self.standstill.look(&view, now);
        if let Some(standstill) = look.standstill.as_ref().filter(|_| look.say) {
            self.log.stands_still(standstill, self.clock.now());
            self.tell(OperatorEvent::StandsStill(standstill.clone()));
        }
        self.status.send_if_modified(|status| {
            let is_new = status.standstill != look.standstill;
            status.standstill = look.standstill;
            is_new
        });
    }
}
