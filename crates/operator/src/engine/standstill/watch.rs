//! Detects that the chain stands still, and who is missing.
//!
//! Has neither I/O nor a clock: the engine passes in messages and times, and learns whether the
//! chain stands still and whether to report that now.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use federation_block_signing::{Config, Input, Message, Phase, VoteKind};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};
use tokio::time::Instant;

use crate::{NodeState, Standstill, StandstillCause};

/// The shortest time after which a height that is due counts as a standstill, whatever the
/// interval: an absent leader or two cost rounds, which is normal.
const MIN_PATIENCE: Duration = Duration::from_secs(3);

/// The time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The pause before a standstill is reported again. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(8 * 60);

/// What the engine knows at a check.
pub(super) struct View<'a> {
    pub(super) height: BlockHeight,
    pub(super) round: Round,
    pub(super) phase: Phase,
    pub(super) observing: bool,
    pub(super) node: &'a NodeState,
    /// The operators that are connected, if the messenger can tell.
    pub(super) connected: &'a BTreeSet<OperatorId>,
    /// Which of this operator's duties were asked for at this height and failed.
    pub(super) own_failed: OwnFailed,
}

/// Which of this operator's duties failed at the height that is worked on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OwnFailed {
    pub(super) to_sign: bool,
    pub(super) to_vote: bool,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckResult {
    /// The standstill, if the chain stands still.
    pub(super) standstill: Option<Standstill>,
    /// Whether to report it now.
    pub(super) report: bool,
}

/// The end of a standstill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StandstillEnd {
    /// How long the standstill lasted.
    pub(super) after: Duration,
}

/// Watches for standstills.
#[derive(Debug)]
pub(in crate::engine) struct StandstillWatch {
    me: OperatorId,
    threshold: usize,
    /// The chain stands still if there is no block for longer than this,
    patience: Duration,
    /// and if the height has also been due for longer than this.
    due_patience: Duration,
    /// An operator that was not heard for this long is absent: everybody who takes part repeats its
    /// messages at the retransmit interval.
    fresh: Duration,
    others: BTreeMap<OperatorId, PeerState>,
    began: Instant,
    began_at: UnixTime,
    tip: Option<LastBlock>,
    /// Since when the height has been due.
    due: Option<Instant>,
    next_check: Instant,
    last_report: Option<LastReport>,
}

#[derive(Debug, Clone, Copy)]
struct LastBlock {
    height: BlockHeight,
    seen: Instant,
    /// Since when there has been no newer block.
    since: UnixTime,
}

/// What another operator's last messages show.
#[derive(Debug, Clone, Copy)]
struct PeerState {
    heard: Option<Instant>,
    height: BlockHeight,
    round: Round,
    prevote: Option<(BlockHeight, Round, Option<BlockHash>)>,
    signed: Option<BlockHeight>,
    /// When, and at which height, it was last heard at a height too far from this operator's to
    /// matter.
    far: Option<(Instant, BlockHeight)>,
}

/// The last report of the current standstill.
#[derive(Debug)]
struct LastReport {
    at: Instant,
    pause: Duration,
    what: Standstill,
}

impl StandstillWatch {
    pub(in crate::engine) fn new(config: &Config, now: Instant, clock: UnixTime) -> Self {
        let others = (0..config.size())
            .filter_map(|index| u8::try_from(index).ok())
            .map(OperatorId::new)
            .filter(|id| *id != config.me());
        Self {
            me: config.me(),
            threshold: config.threshold(),
            patience: config.interval() * 2,
            due_patience: config.interval().max(MIN_PATIENCE),
            fresh: (config.retransmit_interval() * 4).max(MIN_PATIENCE),
            others: others
                .map(|id| {
                    let nothing = PeerState {
                        heard: None,
                        height: BlockHeight::GENESIS,
                        round: Round::FIRST,
                        prevote: None,
                        signed: None,
                        far: None,
                    };
                    (id, nothing)
                })
                .collect(),
            began: now,
            began_at: clock,
            tip: None,
            due: None,
            next_check: now,
            last_report: None,
        }
    }

    /// Records a message of another operator.
    pub(in crate::engine) fn record(&mut self, sender: OperatorId, input: &Input, now: Instant) {
        let Some(known) = self.others.get_mut(&sender) else {
            return;
        };
        known.heard = Some(now);
        let (height, round) = match input {
            Input::Received(signed) => (signed.message.height(), signed.message.round()),
            Input::Body { candidate, .. } => (candidate.height, Round::FIRST),
            _ => return,
        };
        if (height, round) > (known.height, known.round) {
            (known.height, known.round) = (height, round);
        }
        let Input::Received(signed) = input else {
            return;
        };
        match &signed.message {
            Message::Vote(vote) if vote.kind == VoteKind::Prevote => {
                known.prevote = known
                    .prevote
                    .max(Some((vote.height, vote.round, vote.value)));
            }
            Message::BlockSignature(_) => known.signed = known.signed.max(Some(height)),
            _ => {}
        }
    }

    /// Records that an operator was heard at a height too far from this operator's to matter.
    pub(super) fn record_far_height(
        &mut self,
        sender: OperatorId,
        height: BlockHeight,
        now: Instant,
    ) {
        if let Some(known) = self.others.get_mut(&sender) {
            known.far = Some((now, height));
        }
    }

    /// Whether the node's tip is known, so that heights can be compared.
    pub(super) const fn knows_tip(&self) -> bool {
        self.tip.is_some()
    }

    /// Records the node's best block and its header's time. Returns the end of a standstill if the
    /// block ends one.
    pub(super) fn record_tip(
        &mut self,
        height: BlockHeight,
        time: UnixTime,
        now: Instant,
        clock: UnixTime,
    ) -> Option<StandstillEnd> {
        if self.tip.is_some_and(|tip| height <= tip.height) {
            return None;
        }
        let stood = self.last_report.take().map(|last_report| {
            let since = last_report.what.since;
            // The system clock may have been changed meanwhile.
            clock
                .saturating_duration_since(since)
                .max(now.duration_since(self.last_seen()))
        });
        self.tip = Some(LastBlock {
            height,
            seen: now,
            // The genesis block's time does not say when it was made.
            since: if height == BlockHeight::GENESIS {
                self.began_at
            } else {
                time.min(clock)
            },
        });
        self.due = None;
        self.next_check = now;
        stood.map(|after| StandstillEnd { after })
    }

    /// Whether it is time for a check.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next_check
    }

    /// Whether half of the time to a standstill is over, so that it is worth collecting more
    /// information.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| {
            now >= (self.last_seen() + self.patience / 2).max(due + self.due_patience / 2)
        })
    }

    fn last_seen(&self) -> Instant {
        self.tip.map_or(self.began, |tip| tip.seen)
    }

    /// Checks whether the chain stands still.
    pub(super) fn check(&mut self, view: &View<'_>, now: Instant) -> CheckResult {
        self.next_check = now + CHECK_INTERVAL;
        let nothing = CheckResult {
            standstill: None,
            report: false,
        };
        // Waiting here is by design, and whoever waits logs it.
        if view.phase == Phase::Waiting
            || view.phase == Phase::Halted
            || matches!(view.node, NodeState::Waiting(_) | NodeState::Unknown)
        {
            self.due = None;
            return nothing;
        }
        let due = *self.due.get_or_insert(now);
        if now < (self.last_seen() + self.patience).max(due + self.due_patience) {
            return nothing;
        }
        let standstill = self.standstill(view, now);
        let report = self.should_report(&standstill, now);
        CheckResult {
            standstill: Some(standstill),
            report,
        }
    }

    /// Whether to report a standstill: at first, then with growing pauses, and earlier when its
    /// cause has changed.
    fn should_report(&mut self, standstill: &Standstill, now: Instant) -> bool {
        let pause = match &self.last_report {
            None => FIRST_PAUSE,
            Some(last_report) if now < last_report.at + FIRST_PAUSE => return false,
            Some(last_report) if !is_same(&last_report.what, standstill) => FIRST_PAUSE,
            Some(last_report) if now < last_report.at + last_report.pause => return false,
            Some(last_report) => (last_report.pause * 2).min(LONGEST_PAUSE),
        };
        self.last_report = Some(LastReport {
            at: now,
            pause,
            what: standstill.clone(),
        });
        true
    }

    fn standstill(&self, view: &View<'_>, now: Instant) -> Standstill {
        let mut heard = BTreeSet::new();
        if !view.observing {
            heard.insert(self.me);
        }
        let (mut ahead, mut behind) = (BTreeMap::new(), BTreeMap::new());
        let (mut absent, mut silent) = (BTreeSet::new(), BTreeSet::new());
        for (id, known) in &self.others {
            let is_fresh = known.heard.is_some_and(|at| now < at + self.fresh);
            let near = is_fresh.then_some(known.height);
            let far = known.far.filter(|(at, _)| now < *at + self.fresh);
            let height = near.or(far.map(|(_, height)| height));
            match height.map(|height| height.cmp(&view.height)) {
                Some(Ordering::Equal) => {
                    heard.insert(*id);
                }
                Some(Ordering::Greater) => {
                    ahead.extend(height.map(|height| (*id, height)));
                }
                Some(Ordering::Less) => {
                    behind.extend(height.map(|height| (*id, height)));
                }
                None if view.connected.contains(id) => {
                    silent.insert(*id);
                }
                None => {
                    absent.insert(*id);
                }
            }
        }
        let is_known = self.tip.is_some();
        let cause = if let NodeState::Down(why) = view.node {
            StandstillCause::NodeDown(why.clone())
        } else if view.phase == Phase::NoTip && is_known {
            StandstillCause::NodeBelowFinal
        } else if heard.len() >= self.threshold {
            self.cause_among(&heard, view)
        } else if !ahead.is_empty() {
            StandstillCause::NodeBehind(ahead)
        } else if view.observing {
            StandstillCause::Observing {
                nobody_decides: heard.len() + behind.len() + absent.len() < self.threshold,
            }
        } else {
            StandstillCause::TooFew
        };
        Standstill {
            height: is_known.then_some(view.height),
            round: view.round,
            since: self.tip.map_or(self.began_at, |tip| tip.since),
            needed: self.threshold,
            heard,
            behind,
            absent,
            silent,
            cause,
        }
    }

    /// Why there is no block although enough operators are heard.
    fn cause_among(&self, heard: &BTreeSet<OperatorId>, view: &View<'_>) -> StandstillCause {
        let others = heard
            .iter()
            .filter_map(|id| Some((*id, self.others.get(id)?)));
        if view.phase == Phase::Decided {
            let own = view.own_failed.to_sign.then_some(self.me);
            let missing: BTreeSet<_> = others
                .filter(|(_, known)| known.signed != Some(view.height))
                .map(|(id, _)| id)
                .chain(own)
                .collect();
            return if missing.is_empty() {
                StandstillCause::NotTaken
            } else {
                StandstillCause::NotSigned(missing)
            };
        }
        let mut missing = BTreeMap::new();
        let mut refused = BTreeSet::new();
        let mut blocks = BTreeSet::new();
        for (id, known) in others {
            match known.prevote {
                Some((height, round, value)) if (height, round) == (view.height, view.round) => {
                    match value {
                        Some(hash) => blocks.insert(hash),
                        None => refused.insert(id),
                    };
                }
                _ => {
                    missing.insert(id, known.round);
                }
            }
        }
        if view.own_failed.to_vote {
            missing.insert(self.me, view.round);
        }
        let voted = heard.len().saturating_sub(missing.len());
        if voted < self.threshold {
            StandstillCause::NotVoted(missing)
        } else if blocks.len() > 1 {
            StandstillCause::Divided
        } else {
            // All others have voted for one block, so this operator's vote is missing.
            if refused.is_empty() {
                refused.insert(self.me);
            }
            StandstillCause::Refused(refused)
        }
    }
}

/// Whether two reports would say the same, apart from the round.
fn is_same(one: &Standstill, other: &Standstill) -> bool {
    let cause = |of: &Standstill| core::mem::discriminant(&of.cause);
    let who = |of: &Standstill| [of.heard.clone(), of.absent.clone(), of.silent.clone()];
    one.height == other.height && cause(one) == cause(other) && who(one) == who(other)
}

#[cfg(test)]
mod tests;
