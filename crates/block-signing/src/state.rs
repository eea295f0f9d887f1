//! The state of the height that a machine works on.

use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

use crate::{
    BlockSignature, Candidate, Certificate, CompactSignature, Message, Proposal, Record,
    RoundCertificate, Tip, Vote, VoteKind, replies::Replies, vote_keeper::VoteKeeper,
};

/// The step of a height that an operator is in. Each holds the deadline that it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Before the height's start.
    Waiting { start: UnixTime },
    /// Before this operator's prevote; it prevotes nil at the deadline.
    Propose { until: UnixTime },
    /// Between prevote and precommit; the deadline is set once M prevotes have been received.
    Prevote { until: Option<UnixTime> },
    /// After the precommit; the deadline to the next round is [`Height::round_deadline`].
    Precommit,
    /// A block is decided.
    Decided,
}

/// The state of a request to the driver that is retried at the next retransmission if it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RequestState {
    /// Not sent yet, or to be sent again.
    Idle,
    /// Sent, without an answer yet.
    Pending,
    /// Failed; idle again at the next retransmission.
    Failed,
    /// Done.
    Done,
}

impl RequestState {
    /// Lets a failed request be sent again.
    pub(crate) fn retry(&mut self) {
        if *self == Self::Failed {
            *self = Self::Idle;
        }
    }
}

/// The requests for a body that is needed and not held (rule R22).
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyFetch {
    pub(crate) hash: BlockHash,
    pub(crate) at: UnixTime,
    pub(crate) attempt: u32,
}

/// What this operator sent at a height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct OwnVotes {
    pub(crate) proposals: BTreeMap<Round, Proposal>,
    pub(crate) prevotes: BTreeMap<Round, Option<BlockHash>>,
    pub(crate) precommits: BTreeMap<Round, Option<BlockHash>>,
    pub(crate) signature: Option<BlockSignature>,
    /// Locks up to this round are forgotten, as if by a faulty store.
    #[cfg(test)]
    pub(crate) forgotten: Option<Round>,
}

impl OwnVotes {
    pub(crate) const fn votes(&self, kind: VoteKind) -> &BTreeMap<Round, Option<BlockHash>> {
        match kind {
            VoteKind::Prevote => &self.prevotes,
            VoteKind::Precommit => &self.precommits,
        }
    }

    pub(crate) const fn votes_mut(
        &mut self,
        kind: VoteKind,
    ) -> &mut BTreeMap<Round, Option<BlockHash>> {
        match kind {
            VoteKind::Prevote => &mut self.prevotes,
            VoteKind::Precommit => &mut self.precommits,
        }
    }

    /// Returns the lock: the block and round of the latest precommit for a block.
    pub(crate) fn lock(&self) -> Option<(Round, BlockHash)> {
        let latest = self.precommits.iter().rev();
        #[cfg(test)]
        let latest = latest.filter(|(round, _)| Some(**round) > self.forgotten);
        let mut latest = latest;
        latest.find_map(|(round, value)| Some((*round, (*value)?)))
    }

    /// Returns whether this operator sent this message.
    pub(crate) fn sent(&self, message: &Message) -> bool {
        match message {
            Message::Proposal(p) => self.proposals.get(&p.round) == Some(p),
            Message::Vote(v) => self.votes(v.kind).get(&v.round) == Some(&v.value),
            Message::BlockSignature(s) => self.signature.is_some_and(|own| own.hash == s.hash),
            Message::Body(_)
            | Message::Certificate(_)
            | Message::RoundCertificate(_)
            | Message::BodyRequest(_)
            | Message::SignatureSet(_) => true,
        }
    }

    /// Drops rounds below `low` except the lock's: nothing else depends on them.
    pub(crate) fn prune_rounds(&mut self, low: Round) {
        let lock = self.lock().map(|(round, _)| round);
        self.proposals.retain(|round, _| *round >= low);
        self.prevotes.retain(|round, _| *round >= low);
        self.precommits
            .retain(|round, _| *round >= low || Some(*round) == lock);
    }
}

/// When things happened, for the reports.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timestamps {
    pub(crate) height: Option<UnixTime>,
    pub(crate) round: Option<UnixTime>,
    pub(crate) prevote: Option<UnixTime>,
    pub(crate) precommit: Option<UnixTime>,
    pub(crate) decided: Option<UnixTime>,
    pub(crate) signed: Option<UnixTime>,
    pub(crate) submitted: Option<UnixTime>,
}

/// The height being worked on or waited for.
#[derive(Debug, Clone)]
pub(crate) struct Height {
    pub(crate) tip: Tip,
    pub(crate) round: Round,
    pub(crate) step: Step,
    /// Deadline of the round, set once M precommits of this round have been received.
    pub(crate) round_deadline: Option<UnixTime>,
    pub(crate) keeper: VoteKeeper,
    pub(crate) own: OwnVotes,
    pub(crate) retransmit_at: Option<UnixTime>,
    pub(crate) fetch: Option<BodyFetch>,
    pub(crate) template: RequestState,
    pub(crate) signing: RequestState,
    pub(crate) submitting: RequestState,
    /// How many body requests were sent.
    pub(crate) requests_sent: usize,
    /// The bodies sent on request.
    pub(crate) replies: Replies,
    /// The round, and whether decided, for which the store was last pruned.
    pub(crate) pruned: Option<(Round, bool)>,
    /// What the store already holds.
    pub(crate) stored_bodies: BTreeSet<BlockHash>,
    pub(crate) stored_proofs: BTreeSet<(Round, BlockHash)>,
    pub(crate) stored_decision: bool,
    pub(crate) timestamps: Timestamps,
}

impl Height {
    pub(crate) fn new(tip: Tip, start: UnixTime, keeper: VoteKeeper) -> Self {
        Self {
            tip,
            round: Round::FIRST,
            step: Step::Waiting { start },
            round_deadline: None,
            keeper,
            own: OwnVotes::default(),
            retransmit_at: None,
            fetch: None,
            template: RequestState::Idle,
            signing: RequestState::Idle,
            submitting: RequestState::Idle,
            requests_sent: 0,
            replies: Replies::default(),
            pruned: None,
            stored_bodies: BTreeSet::new(),
            stored_proofs: BTreeSet::new(),
            stored_decision: false,
            timestamps: Timestamps::default(),
        }
    }

    pub(crate) const fn number(&self) -> BlockHeight {
        self.tip.height.next()
    }

    pub(crate) const fn vote(
        &self,
        kind: VoteKind,
        round: Round,
        value: Option<BlockHash>,
    ) -> Vote {
        Vote {
            kind,
            height: self.number(),
            round,
            value,
        }
    }

    /// Returns the next deadline.
    pub(crate) fn timeout(&self) -> Option<UnixTime> {
        let step = match self.step {
            Step::Waiting { start } => Some(start),
            Step::Propose { until } => Some(until),
            Step::Prevote { until } => until,
            Step::Precommit | Step::Decided => None,
        };
        let round = self.round_deadline.filter(|_| self.step != Step::Decided);
        let fetch = self.fetch.map(|fetch| fetch.at);
        [step, round, fetch, self.retransmit_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Moves every deadline back when the clock was set back, so that none is out of reach.
    pub(crate) fn shift_back(&mut self, by: core::time::Duration) {
        let back = |time: &mut UnixTime| *time = time.saturating_sub(by);
        match &mut self.step {
            Step::Waiting { start } => back(start),
            Step::Propose { until } => back(until),
            Step::Prevote { until } => until.iter_mut().for_each(back),
            Step::Precommit | Step::Decided => {}
        }
        self.round_deadline.iter_mut().for_each(back);
        self.retransmit_at.iter_mut().for_each(back);
        self.fetch.iter_mut().for_each(|fetch| back(&mut fetch.at));
        self.replies.shift_back(by);
    }
}

/// The last height that became final with a decision, kept to help operators that missed it.
#[derive(Debug, Clone)]
pub(crate) struct LastDecided {
    pub(crate) decision: Certificate,
    pub(crate) candidate: Option<Candidate>,
    pub(crate) signature: Option<BlockSignature>,
    /// All block signatures held at the end.
    pub(crate) signatures: BTreeMap<OperatorId, CompactSignature>,
    pub(crate) last_help: UnixTime,
    pub(crate) replies: Replies,
    /// The operators known to have everything that settles the height: they need no help.
    pub(crate) helpers: BTreeSet<OperatorId>,
}

/// What the store holds about one height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Recovered {
    pub(crate) round: Option<Round>,
    pub(crate) own: OwnVotes,
    pub(crate) bodies: Vec<Candidate>,
    pub(crate) proofs: Vec<Certificate>,
    pub(crate) round_certificate: Option<RoundCertificate>,
    pub(crate) decision: Option<Certificate>,
}

impl Recovered {
    /// Adds one record of this height.
    pub(crate) fn add(&mut self, record: Record) {
        match record {
            Record::Final(_) | Record::Standing(_) => {}
            Record::Round(_, round) => self.round = self.round.max(Some(round)),
            Record::Proposal(p) => {
                self.own.proposals.insert(p.round, p);
            }
            Record::Vote(v) => {
                self.own.votes_mut(v.kind).insert(v.round, v.value);
            }
            Record::Body(candidate) => self.bodies.push(candidate),
            Record::ProofOfLock(proof) => self.proofs.push(proof),
            Record::RoundCertificate(certificate) => self.round_certificate = Some(certificate),
            Record::Decision(decision) => self.decision = Some(decision),
            Record::Signature(signature) => self.own.signature = Some(signature),
        }
    }

    #[cfg(test)]
    pub(crate) fn forget_lock(&mut self) {
        self.own.forgotten = Some(self.resume_round());
    }

    /// Returns the round to resume in: the highest one entered or voted or proposed in.
    pub(crate) fn resume_round(&self) -> Round {
        let spoken = [
            self.round,
            self.own.proposals.keys().next_back().copied(),
            self.own.prevotes.keys().next_back().copied(),
            self.own.precommits.keys().next_back().copied(),
        ];
        spoken.into_iter().flatten().max().unwrap_or_default()
    }
}
