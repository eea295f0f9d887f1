//! Events as log lines.

use crate::{Duty, Event};

/// Logs each change of state once instead of at each turn.
#[derive(Debug, Default)]
pub(super) struct Log {
    node_unreachable: bool,
    catching_up: bool,
}

impl Log {
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::TurnBegan {
                height,
                leader,
                catching_up,
            } => {
                if core::mem::take(&mut self.node_unreachable) {
                    tracing::info!("node reachable again");
                }
                if core::mem::replace(&mut self.catching_up, *catching_up) != *catching_up {
                    if *catching_up {
                        tracing::info!("chain behind schedule, turns take half the interval");
                    } else {
                        tracing::info!("chain on schedule, turns take the whole interval");
                    }
                }
                tracing::debug!(%height, leader, "turn");
            }
            Event::NodeUnreachable(reason) => {
                if !core::mem::replace(&mut self.node_unreachable, true) {
                    tracing::warn!(%reason, "node unreachable, skipping turns");
                }
            }
            Event::Proposed { height, hash } => tracing::info!(%height, %hash, "proposed"),
            Event::NoTemplate(reason) => tracing::warn!(%reason, "no block to propose"),
            Event::NoProposal { height, leader } => {
                tracing::warn!(%height, leader, "no proposal in time");
            }
            Event::Refused {
                height,
                hash,
                reason,
            } => tracing::warn!(%height, %hash, %reason, "not signed"),
            Event::TooLate { hash, duty } => {
                let what = match duty {
                    Duty::Test => "the node's answer",
                    Duty::Sign => "the signature",
                };
                tracing::warn!(%hash, what, "too late, signature not sent");
            }
            Event::Signed { height, hash } => tracing::info!(%height, %hash, "signed"),
            Event::TooFewSignatures { height, have, need } => {
                tracing::warn!(%height, have, need, "too few signatures");
            }
            Event::Completed {
                height,
                hash,
                signers,
            } => {
                let signers: Vec<_> = signers.iter().map(usize::to_string).collect();
                let signers = signers.join(" ");
                tracing::info!(%height, %hash, signers, "completed and submitted");
            }
            Event::Rejected { hash, reason } => {
                tracing::error!(%hash, %reason, "block rejected by the node");
            }
            Event::DutyFailed {
                duty,
                turns,
                reason,
            } => {
                tracing::error!(turns, %reason, "{duty} keeps failing");
            }
            Event::DutyResumed(duty) => tracing::info!("{duty} works again"),
            Event::Dropped { from, reason } => tracing::debug!(from, reason, "message dropped"),
        }
    }
}
