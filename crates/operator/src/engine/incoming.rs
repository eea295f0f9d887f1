//! Handling of what comes in from outside the loop.

use std::sync::atomic::Ordering;

use federation_block_signing::{Input, Tip};
use federation_roster::OperatorId;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{Engine, ingress::Dropped};
use crate::{NodeState, OperatorEvent};

/// What comes in from outside the loop.
pub(crate) enum Incoming {
    Message {
        sender: OperatorId,
        input: Input,
        /// One of the slots for large frames, held until the machine has the input.
        permit: Option<OwnedSemaphorePermit>,
    },
    Dropped(Dropped),
    /// The node's best block, and the operators whose signatures it has.
    Tip(Tip, Vec<OperatorId>),
    Node(NodeState),
}

impl Engine {
    /// Records what came in, and turns it into inputs.
    pub(super) fn on_incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Message {
                sender,
                input,
                permit,
            } => {
                let now = self.clock.now();
                self.standstill.record(sender, &input, Instant::now());
                self.status.send_modify(|status| {
                    status.counters.accepted += 1;
                    self.peers
                        .record(sender, &input, now, &mut status.peers, &self.federation);
                });
                self.pending.push_back(input);
                drop(permit);
            }
            Incoming::Dropped(why) => {
                // Later versions may send other kinds of messages: no reason for a warning.
                if why != Dropped::UnknownKind {
                    self.log.problem("frame dropped", why.as_str());
                }
                self.status.send_modify(|status| {
                    let counters = &mut status.counters;
                    *match why {
                        Dropped::Undecodable => &mut counters.undecodable,
                        Dropped::UnknownKind => &mut counters.unknown_kind,
                        Dropped::ForeignFederation => &mut counters.foreign_federation,
                        Dropped::UnknownSender => &mut counters.unknown_sender,
                        Dropped::FarHeight => &mut counters.far_height,
                        Dropped::TooLarge => &mut counters.too_large,
                        Dropped::BadSignature => &mut counters.bad_signature,
                        Dropped::BadBody => &mut counters.bad_body,
                        Dropped::Unwanted => &mut counters.unwanted,
                    } += 1;
                });
            }
            Incoming::Tip(tip, signers) => {
                self.peers.log_silent(&self.federation);
                // Set before the machine gets the tip, so that messages of the next height pass.
                self.height
                    .store(tip.height.next().to_u32(), Ordering::Relaxed);
                self.log.set_tip(tip.hash, &signers);
                self.outbox.start_height(tip.height.next());
                self.end_standstill(&tip);
                self.status.send_modify(|status| {
                    status.tip = Some((tip.height, tip.hash));
                    status.tip_time = Some(tip.time);
                    status.tip_signers = signers;
                });
                self.publish(OperatorEvent::Tip {
                    height: tip.height,
                    hash: tip.hash,
                });
                self.pending.push_back(Input::Tip(tip));
            }
            Incoming::Node(state) => {
                let answers =
                    |state: &NodeState| matches!(state, NodeState::Up | NodeState::Waiting(_));
                match &state {
                    NodeState::Down(reason) => tracing::warn!(reason, "node unreachable"),
                    // The watcher logs what it waits for.
                    _ if answers(&self.status.borrow().node) => {}
                    _ => tracing::info!("node reachable"),
                }
                self.status
                    .send_modify(|status| status.node = state.clone());
                self.publish(OperatorEvent::Node(state));
            }
        }
    }
}
