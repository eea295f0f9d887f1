//! What a machine knows of the height it works on.

use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

use crate::{
    BlockSignature, Candidate, Certificate, CompactSignature, Message, Proposal, Record,
    RoundCertificate, Tip, Vote, VoteKind, answers::Answers, ballots::Ballots,
};

/// Where in a height an operator is. Each step holds the deadline that it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Before the height's start.
    Waiting { start: UnixTime },
    /// Before the own prevote; nil at the deadline.
    Propose { until: UnixTime },
    /// Between prevote and precommit; the deadline runs once M prevotes are in.
    Prevote { until: Option<UnixTime> },
    /// After the precommit; the deadline to the next round is [`Height::round_until`].
    Precommit,
    /// A block is decided.
    Decided,
}

/// A request to the driver that is repeated at the beat when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Errand {
    /// Not asked yet, or to be asked again.
    Idle,
    /// Asked, no answer yet.
    Asked,
    /// Failed; idle again at the next beat.
    Failed,
    /// Done.
    Done,
}

impl Errand {
    /// At the beat, what failed is tried again.
    pub(crate) fn retry(&mut self) {
        if *self == Self::Failed {
            *self = Self::Idle;
        }
    }
}

/// The search for a body that is needed and not held (rule R22).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    pub(crate) hash: BlockHash,
    pub(crate) at: UnixTime,
    pub(crate) attempt: u32,
}

/// What this operator said at a height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Own {
    pub(crate) proposals: BTreeMap<Round, Proposal>,
    pub(crate) prevotes: BTreeMap<Round, Option<BlockHash>>,
    pub(crate) precommits: BTreeMap<Round, Option<BlockHash>>,
    pub(crate) signature: Option<BlockSignature>,
    /// Locks up to this round are forgotten, as by a faulty store.
    #[cfg(test)]
    pub(crate) forgotten: Option<Round>,
}

impl Own {
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

    /// The lock: the block of the latest precommit for a block, and its round.
    pub(crate) fn lock(&self) -> Option<(Round, BlockHash)> {
        let latest = self.precommits.iter().rev();
        #[cfg(test)]
        let latest = latest.filter(|(round, _)| Some(**round) > self.forgotten);
        let mut latest = latest;
        latest.find_map(|(round, value)| Some((*round, (*value)?)))
    }

    /// Whether this operator sent this message.
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

    /// Drops what can play no part any more: rounds long left, but for the lock.
    pub(crate) fn forget_rounds(&mut self, low: Round) {
        let lock = self.lock().map(|(round, _)| round);
        self.proposals.retain(|round, _| *round >= low);
        self.prevotes.retain(|round, _| *round >= low);
        self.precommits
            .retain(|round, _| *round >= low || Some(*round) == lock);
    }
}

/// When things happened, for the reports.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks {
    pub(crate) height: Option<UnixTime>,
    pub(crate) round: Option<UnixTime>,
    pub(crate) prevote: Option<UnixTime>,
    pub(crate) precommit: Option<UnixTime>,
    pub(crate) decided: Option<UnixTime>,
    pub(crate) signed: Option<UnixTime>,
    pub(crate) submitted: Option<UnixTime>,
}

/// The height worked on or waited for.
#[derive(Debug, Clone)]
pub(crate) struct Height {
    pub(crate) tip: Tip,
    pub(crate) round: Round,
    pub(crate) step: Step,
    /// Deadline to the next round, running once M precommits of this round are in.
    pub(crate) round_until: Option<UnixTime>,
    pub(crate) ballots: Ballots,
    pub(crate) own: Own,
    pub(crate) beat_at: Option<UnixTime>,
    pub(crate) search: Option<Search>,
    pub(crate) template: Errand,
    pub(crate) signing: Errand,
    pub(crate) submitting: Errand,
    /// How many bodies were asked for.
    pub(crate) asked: usize,
    /// Bodies that were sent.
    pub(crate) answers: Answers,
    /// For which round, and whether after the decision, the store was last tidied.
    pub(crate) tidied: Option<(Round, bool)>,
    /// What is in the store already.
    pub(crate) stored_bodies: BTreeSet<BlockHash>,
    pub(crate) stored_proofs: BTreeSet<(Round, BlockHash)>,
    pub(crate) stored_decision: bool,
    pub(crate) marks: Marks,
}

impl Height {
    pub(crate) fn new(tip: Tip, start: UnixTime, ballots: Ballots) -> Self {
        Self {
            tip,
            round: Round::FIRST,
            step: Step::Waiting { start },
            round_until: None,
            ballots,
            own: Own::default(),
            beat_at: None,
            search: None,
            template: Errand::Idle,
            signing: Errand::Idle,
            submitting: Errand::Idle,
            asked: 0,
            answers: Answers::default(),
            tidied: None,
            stored_bodies: BTreeSet::new(),
            stored_proofs: BTreeSet::new(),
            stored_decision: false,
            marks: Marks::default(),
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

    /// The nearest deadline.
    pub(crate) fn timeout(&self) -> Option<UnixTime> {
        let step = match self.step {
            Step::Waiting { start } => Some(start),
            Step::Propose { until } => Some(until),
            Step::Prevote { until } => until,
            Step::Precommit | Step::Decided => None,
        };
        let round = self.round_until.filter(|_| self.step != Step::Decided);
        let search = self.search.map(|search| search.at);
        [step, round, search, self.beat_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Moves every deadline when the clock was set back, so that none is out of reach.
    pub(crate) fn set_back(&mut self, by: core::time::Duration) {
        let back = |time: &mut UnixTime| *time = time.before(by);
        match &mut self.step {
            Step::Waiting { start } => back(start),
            Step::Propose { until } => back(until),
            Step::Prevote { until } => until.iter_mut().for_each(back),
            Step::Precommit | Step::Decided => {}
        }
        self.round_until.iter_mut().for_each(back);
        self.beat_at.iter_mut().for_each(back);
        self.search
            .iter_mut()
            .for_each(|search| back(&mut search.at));
        self.answers.set_back(by);
    }
}

/// The last height that became final here with a decision, kept to help those who missed it.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) decision: Certificate,
    pub(crate) candidate: Option<Candidate>,
    pub(crate) signature: Option<BlockSignature>,
    /// All block signatures that were held at the end.
    pub(crate) signatures: BTreeMap<OperatorId, CompactSignature>,
    pub(crate) helped: UnixTime,
    pub(crate) answers: Answers,
    /// Who was heard with all that settles the height: they call for no help.
    pub(crate) helpers: BTreeSet<OperatorId>,
}

/// What the store remembered of one height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Memory {
    pub(crate) round: Option<Round>,
    pub(crate) own: Own,
    pub(crate) bodies: Vec<Candidate>,
    pub(crate) proofs: Vec<Certificate>,
    pub(crate) over: Option<RoundCertificate>,
    pub(crate) decision: Option<Certificate>,
}

impl Memory {
    /// Adds one record of this height.
    pub(crate) fn recall(&mut self, record: Record) {
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
            Record::RoundCertificate(over) => self.over = Some(over),
            Record::Decision(decision) => self.decision = Some(decision),
            Record::Signature(signature) => self.own.signature = Some(signature),
        }
    }

    #[cfg(test)]
    pub(crate) fn forget_lock(&mut self) {
        self.own.forgotten = Some(self.resume_round());
    }

    /// The round to go on in: the highest one entered or spoken in.
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
