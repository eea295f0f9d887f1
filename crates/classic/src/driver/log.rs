//! Events as lines for people.

use crate::{Event, Share};

/// Says each thing once, not at each turn.
#[derive(Debug, Default)]
pub(super) struct Log {
    node_away: bool,
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
                if core::mem::take(&mut self.node_away) {
                    tracing::info!("the node answers again");
                }
                if core::mem::replace(&mut self.catching_up, *catching_up) != *catching_up {
                    if *catching_up {
                        tracing::info!("the chain is behind: turns of half the interval");
                    } else {
                        tracing::info!("the chain is on schedule: turns of the whole interval");
                    }
                }
                tracing::debug!(%height, leader, "turn");
            }
            Event::NodeAway(reason) => {
                if !core::mem::replace(&mut self.node_away, true) {
                    tracing::warn!(%reason, "the node does not answer: turns pass without us");
                }
            }
            Event::Proposed { height, hash } => tracing::info!(%height, %hash, "proposed"),
            Event::NoTemplate(reason) => tracing::warn!(%reason, "no block to propose"),
            Event::NoProposal { height, leader } => {
                tracing::warn!(%height, leader, "no proposal came in time");
            }
            Event::Refused {
                height,
                hash,
                reason,
            } => tracing::warn!(%height, %hash, %reason, "not signed"),
            Event::TooLate { hash, share } => {
                let what = match share {
                    Share::Test => "the own node's answer",
                    Share::Sign => "the signature",
                };
                tracing::warn!(%hash, what, "too late, so it is not sent");
            }
            Event::Signed { height, hash } => tracing::info!(%height, %hash, "signed"),
            Event::TooFewSignatures { height, have, need } => {
                tracing::warn!(%height, have, need, "too few of the others signed");
            }
            Event::Completed {
                height,
                hash,
                signers,
            } => tracing::info!(%height, %hash, ?signers, "complete, and submitted"),
            Event::NotTaken { hash, reason } => {
                tracing::error!(%hash, %reason, "the node did not take the block");
            }
            Event::Missed {
                share,
                turns,
                reason,
            } => {
                tracing::error!(turns, %reason, "this operator {share} nothing");
            }
            Event::DoneAgain(share) => tracing::info!("this operator {share} again"),
            Event::Dropped { from, reason } => tracing::debug!(?from, reason, "dropped"),
        }
    }
}
