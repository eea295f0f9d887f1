//! Which of the other operators are heard.

use std::{collections::BTreeMap, time::Duration};

use federation_block_signing::{Input, Message, VoteKind};
use federation_chain::{BlockHeight, UnixTime};
use federation_roster::{Federation, OperatorId, Round};
use tokio::time::Instant;

use crate::PeerStatus;

/// How long an operator may be silent, in addition to three intervals, before that is logged.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches when each operator was last heard.
#[derive(Debug)]
pub(super) struct Peers {
    me: OperatorId,
    heard: BTreeMap<OperatorId, PeerActivity>,
    patience: Duration,
    /// This operator's round, and when it began.
    round: (BlockHeight, Round, Instant),
}

#[derive(Debug)]
struct PeerActivity {
    at: Instant,
    silent: bool,
}

impl Peers {
    pub(super) fn new(federation: &Federation, me: OperatorId) -> Self {
        let now = Instant::now();
        let others = federation.ids().filter(|id| *id != me);
        Self {
            me,
            heard: others
                .map(|id| {
                    let nothing_yet = PeerActivity {
                        at: now,
                        silent: false,
                    };
                    (id, nothing_yet)
                })
                .collect(),
            patience: federation.interval() * 3 + PATIENCE,
            round: (BlockHeight::GENESIS, Round::FIRST, now),
        }
    }

    /// Records that this operator began a round.
    pub(super) fn round_began(&mut self, height: BlockHeight, round: Round) {
        self.round = (height, round, Instant::now());
    }

    /// Records a message, and updates its sender's entry in the status.
    pub(super) fn record(
        &mut self,
        sender: OperatorId,
        input: &Input,
        now: UnixTime,
        status: &mut BTreeMap<OperatorId, PeerStatus>,
        federation: &Federation,
    ) {
        let Some(heard) = self.heard.get_mut(&sender).filter(|_| sender != self.me) else {
            return;
        };
        heard.at = Instant::now();
        if core::mem::take(&mut heard.silent) {
            tracing::info!(operator = %federation.name(sender), "operator heard again");
        }
        let (height, round) = match input {
            Input::Received(signed) => (signed.message.height(), signed.message.round()),
            Input::Body { candidate, .. } => (candidate.height, Round::FIRST),
            _ => return,
        };
        let peer = status.entry(sender).or_insert(PeerStatus {
            heard: now,
            height,
            round,
            prevoted_after: None,
        });
        peer.heard = now;
        let is_later = (height, round) > (peer.height, peer.round);
        if is_later {
            (peer.height, peer.round) = (height, round);
        }
        let (own_height, own_round, began) = self.round;
        if let Input::Received(signed) = input
            && let Message::Vote(vote) = &signed.message
            && vote.kind == VoteKind::Prevote
            && (vote.height, vote.round) == (own_height, own_round)
            // A retransmitted vote does not show how fast the operator is.
            && (is_later || peer.prevoted_after.is_none())
        {
            peer.prevoted_after = Some(began.elapsed());
        }
    }

    /// Logs each operator that has become silent.
    pub(super) fn log_silent(&mut self, federation: &Federation) {
        for (id, heard) in &mut self.heard {
            if !heard.silent && heard.at.elapsed() > self.patience {
                heard.silent = true;
                tracing::warn!(
                    operator = %federation.name(*id),
                    seconds = heard.at.elapsed().as_secs(),
                    "operator not heard"
                );
            }
        }
    }
}
