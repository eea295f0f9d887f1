//! Noticing that the chain stands still, and who is missing.
//!
//! Without I/O and without a clock: the engine hands in what it hears and the time, and is told what
//! is so and whether to say it.

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

/// A height that is due is given so long at least, whatever the interval: an absent leader or two
/// take rounds, and are no standstill.
const LEAST: Duration = Duration::from_secs(3);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// The pause before it is said again; it doubles up to the longest.
const SAY_AGAIN: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(8 * 60);

/// What the engine knows at a look.
pub(super) struct View<'a> {
    pub(super) height: BlockHeight,
    pub(super) round: Round,
    pub(super) phase: Phase,
    pub(super) observing: bool,
    pub(super) node: &'a NodeState,
    /// Who is connected, where the messenger can tell.
    pub(super) connected: &'a BTreeSet<OperatorId>,
    /// Whether the own block key, or what says votes, was asked at this height and failed.
    pub(super) own_failed: OwnFailed,
}

/// What of the own share failed at the height that is worked on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OwnFailed {
    pub(super) to_sign: bool,
    pub(super) to_vote: bool,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// The standstill, if the chain stands still.
    pub(super) standstill: Option<Standstill>,
    /// Whether it is time to say so.
    pub(super) say: bool,
}

/// The end of a standstill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    /// How long it lasted.
    pub(super) after: Duration,
}

/// Watches for a standstill.
#[derive(Debug)]
pub(in crate::engine) struct Watch {
    me: OperatorId,
    threshold: usize,
    /// Without a block for longer than this it stands still.
    patience: Duration,
    /// If the height has been due for as long as this, too.
    due_patience: Duration,
    /// Who was not heard for as long is absent: all who take part repeat themselves at the beat.
    fresh: Duration,
    others: BTreeMap<OperatorId, Known>,
    began: Instant,
    began_at: UnixTime,
    tip: Option<LastBlock>,
    /// Since when the height is past its start.
    due: Option<Instant>,
    next_look: Instant,
    said: Option<Said>,
}

#[derive(Debug, Clone, Copy)]
struct LastBlock {
    height: BlockHeight,
    seen: Instant,
    /// From when on there was no other.
    since: UnixTime,
}

/// What one of the others said last.
#[derive(Debug, Clone, Copy)]
struct Known {
    heard: Option<Instant>,
    height: BlockHeight,
    round: Round,
    prevote: Option<(BlockHeight, Round, Option<BlockHash>)>,
    signed: Option<BlockHeight>,
    /// Where it was heard at a height that is too far from the own one to be of use.
    far: Option<(Instant, BlockHeight)>,
}

/// What was said of the standstill that lasts.
#[derive(Debug)]
struct Said {
    at: Instant,
    pause: Duration,
    what: Standstill,
}

impl Watch {
    pub(in crate::engine) fn new(config: &Config, now: Instant, clock: UnixTime) -> Self {
        let others = (0..config.size())
            .filter_map(|index| u8::try_from(index).ok())
            .map(OperatorId::new)
            .filter(|id| *id != config.me());
        Self {
            me: config.me(),
            threshold: config.threshold(),
            patience: config.interval() * 2,
            due_patience: config.interval().max(LEAST),
            fresh: (config.retransmit_interval() * 4).max(LEAST),
            others: others
                .map(|id| {
                    let nothing = Known {
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
            next_look: now,
            said: None,
        }
    }

    /// Notes a message of another operator.
    pub(in crate::engine) fn note(&mut self, sender: OperatorId, input: &Input, now: Instant) {
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

    /// Notes that an operator was heard at a height that is too far from the own one to be of use.
    pub(super) fn note_far(&mut self, sender: OperatorId, height: BlockHeight, now: Instant) {
        if let Some(known) = self.others.get_mut(&sender) {
            known.far = Some((now, height));
        }
    }

    /// Whether a block is known, so that heights mean something.
    pub(super) const fn knows_tip(&self) -> bool {
        self.tip.is_some()
    }

    /// Notes the node's best block, made at this time by its header; the end of a standstill if it is
    /// one.
    pub(super) fn tip(
        &mut self,
        height: BlockHeight,
        time: UnixTime,
        now: Instant,
        clock: UnixTime,
    ) -> Option<Moved> {
        if self.tip.is_some_and(|tip| height <= tip.height) {
            return None;
        }
        let stood = self.said.take().map(|said| {
            let since = said.what.since;
            // A clock that was set meanwhile says nothing.
            clock.since(since).max(now.duration_since(self.last_seen()))
        });
        self.tip = Some(LastBlock {
            height,
            seen: now,
            // The genesis block was not made when it says.
            since: if height == BlockHeight::GENESIS {
                self.began_at
            } else {
                time.min(clock)
            },
        });
        self.due = None;
        self.next_look = now;
        stood.map(|after| Moved { after })
    }

    /// Whether it is time for a look.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next_look
    }

    /// Whether half of the patience is over, so that more than usual is worth knowing.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| {
            now >= (self.last_seen() + self.patience / 2).max(due + self.due_patience / 2)
        })
    }

    fn last_seen(&self) -> Instant {
        self.tip.map_or(self.began, |tip| tip.seen)
    }

    /// Looks whether the chain stands still.
    pub(super) fn look(&mut self, view: &View<'_>, now: Instant) -> Look {
        self.next_look = now + LOOK;
        let nothing = Look {
            standstill: None,
            say: false,
        };
        // What is waited for by design, and said by who waits.
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
        let say = self.is_to_be_said(&standstill, now);
        Look {
            standstill: Some(standstill),
            say,
        }
    }

    /// At first, then with growing pauses; and sooner when something else is the matter.
    fn is_to_be_said(&mut self, standstill: &Standstill, now: Instant) -> bool {
        let pause = match &self.said {
            None => SAY_AGAIN,
            Some(said) if now < said.at + SAY_AGAIN => return false,
            Some(said) if !is_same(&said.what, standstill) => SAY_AGAIN,
            Some(said) if now < said.at + said.pause => return false,
            Some(said) => (said.pause * 2).min(LONGEST_PAUSE),
        };
        self.said = Some(Said {
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

    /// What keeps a block back though enough are heard.
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
            // With votes of all others for one block the own one is missing.
            if refused.is_empty() {
                refused.insert(self.me);
            }
            StandstillCause::Refused(refused)
        }
    }
}

/// Whether a person would be told the same, but for rounds that go on.
fn is_same(one: &Standstill, other: &Standstill) -> bool {
    let cause = |of: &Standstill| core::mem::discriminant(&of.cause);
    let who = |of: &Standstill| [of.heard.clone(), of.absent.clone(), of.silent.clone()];
    one.height == other.height && cause(one) == cause(other) && who(one) == who(other)
}

#[cfg(test)]
mod tests;
