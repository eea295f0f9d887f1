//! Proposals that wait to be checked.

use core::time::Duration;
use std::collections::VecDeque;

use federation_chain::{Block, UnixTime};

use crate::RawReissuance;

/// The most proposals that wait, in total and per sender: one may be of the turn before.
const MAX_WAITING: usize = 8;
const MAX_PER_SENDER: usize = 2;

/// How early a proposal may arrive, as a fraction of the pace: the leader's clock may be ahead of ours
/// by that much.
const EARLY: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct Proposals {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    from: Option<usize>,
    received: UnixTime,
    proposal: Proposal,
}

/// A block and the reissuances proposed with it.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    pub(super) block: Block,
    pub(super) reissuances: Vec<RawReissuance>,
}

impl Proposals {
    /// Returns when proposals for the turn that starts at `start` are first accepted.
    pub(super) fn opens(start: UnixTime, pace: Duration) -> UnixTime {
        start.saturating_sub(pace / EARLY)
    }

    /// Keeps a proposal, unless too many wait.
    pub(super) fn push(
        &mut self,
        received: UnixTime,
        from: Option<usize>,
        proposal: Proposal,
    ) -> Result<(), &'static str> {
        let from_sender = self.waiting.iter().filter(|one| one.from == from).count();
        // If the wire does not show senders, all of them count as one.
        let limit = if from.is_some() {
            MAX_PER_SENDER
        } else {
            MAX_WAITING
        };
        if self.waiting.len() >= MAX_WAITING || from_sender >= limit {
            return Err("too many proposals waiting");
        }
        self.waiting.push_back(Waiting {
            from,
            received,
            proposal,
        });
        Ok(())
    }

    /// Drops proposals received before a moment, for an earlier turn.
    pub(super) fn forget_before(&mut self, moment: UnixTime) {
        self.waiting.retain(|one| one.received >= moment);
    }

    /// Returns the next proposal with its sender.
    pub(super) fn pop(&mut self) -> Option<(Option<usize>, Proposal)> {
        self.waiting.pop_front().map(|one| (one.from, one.proposal))
    }
}
