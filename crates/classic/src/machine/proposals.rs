//! Proposals that wait to be looked at.

use core::time::Duration;
use std::collections::VecDeque;

use federation_chain::{Block, UnixTime};

use crate::RawReissuance;

/// The most proposals that wait. Of each sender two: one may be of the turn before.
const MAX_WAITING: usize = 8;
const MAX_OF_ONE: usize = 2;

/// How much too early a proposal may come: the leader's clock may be ahead of ours by as much.
/// Part of the pace.
const EARLY: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct Proposals {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    from: Option<usize>,
    came: UnixTime,
    proposal: Proposal,
}

/// A block, and the reissuances that were proposed with it.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    pub(super) block: Block,
    pub(super) reissuances: Vec<RawReissuance>,
}

impl Proposals {
    /// From when on a proposal may be meant for the turn that begins at `start`.
    pub(super) fn opens(start: UnixTime, pace: Duration) -> UnixTime {
        start.before(pace / EARLY)
    }

    /// Keeps a proposal, unless too many wait.
    pub(super) fn push(
        &mut self,
        came: UnixTime,
        from: Option<usize>,
        proposal: Proposal,
    ) -> Result<(), &'static str> {
        let of_one = self.waiting.iter().filter(|one| one.from == from).count();
        // Where the wire tells no sender, all share one place in the queue.
        let limit = if from.is_some() {
            MAX_OF_ONE
        } else {
            MAX_WAITING
        };
        if self.waiting.len() >= MAX_WAITING || of_one >= limit {
            return Err("too many proposals wait");
        }
        self.waiting.push_back(Waiting {
            from,
            came,
            proposal,
        });
        Ok(())
    }

    /// Forgets what came before a moment, for an earlier turn.
    pub(super) fn forget_before(&mut self, moment: UnixTime) {
        self.waiting.retain(|one| one.came >= moment);
    }

    /// The next one, with its sender.
    pub(super) fn pop(&mut self) -> Option<(Option<usize>, Proposal)> {
        self.waiting.pop_front().map(|one| (one.from, one.proposal))
    }
}
