//! Events for logs, metrics and the live view; the protocol does not depend on them.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};
use serde::Serialize;

/// Something that happened in the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The machine waits for the time of the next height.
    HeightWaiting {
        /// The height.
        height: BlockHeight,
        /// When it starts.
        start: UnixTime,
    },
    /// Work on a height began.
    HeightStarted {
        /// The height.
        height: BlockHeight,
        /// How long after the height's target it began; large when the chain is behind its
        /// schedule.
        late: Duration,
    },
    /// A round began.
    RoundStarted {
        /// The height.
        height: BlockHeight,
        /// The round.
        round: Round,
        /// The operator that leads it.
        leader: OperatorId,
    },
    /// A round ended.
    RoundEnded(Box<RoundReport>),
    /// A block was decided.
    Decided {
        /// The height.
        height: BlockHeight,
        /// The round whose precommits made the decision.
        round: Round,
        /// The block.
        hash: BlockHash,
    },
    /// The node has the block of a height that was worked on.
    HeightFinished(Box<HeightReport>),
    /// This operator will not prevote for a proposal.
    Refused {
        /// The height.
        height: BlockHeight,
        /// The round.
        round: Round,
        /// The block.
        hash: BlockHash,
        /// Why.
        reason: Refusal,
    },
    /// An observer has seen a height become final without its help, and participates from the next
    /// one.
    Participating {
        /// The first height at which it votes.
        from: BlockHeight,
    },
    /// Something that needs a person's attention.
    Alarm(Alarm),
}

/// Why this operator does not prevote for a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// It does not build on this operator's tip.
    WrongPrevious,
    /// The block's height differs from its proposal's.
    WrongHeight,
    /// Its time is earlier than the schedule allows.
    TooEarly,
    /// Its time is further ahead of the clock than allowed.
    TooLate,
    /// This operator is locked on another block.
    Locked,
    /// The node or the policy rejects it.
    Invalid(String),
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundOutcome {
    /// This block was decided in it.
    Decided(BlockHash),
    /// It ended without a decision, by M precommits.
    NotDecided,
    /// It was left early, because a later round was over or the height became final.
    Left,
}

/// One round as this operator saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundReport {
    /// The height.
    pub height: BlockHeight,
    /// The round.
    pub round: Round,
    /// The operator that led it.
    pub leader: OperatorId,
    /// How it ended.
    pub outcome: RoundOutcome,
    /// The proposed block, if a proposal was received.
    pub proposal: Option<BlockHash>,
    /// The prevotes received.
    pub prevotes: BTreeMap<OperatorId, Option<BlockHash>>,
    /// The precommits received.
    pub precommits: BTreeMap<OperatorId, Option<BlockHash>>,
    /// From the round's start to this operator's prevote, if it cast one.
    pub until_prevote: Option<Duration>,
    /// From the round's start to this operator's precommit, if it cast one.
    pub until_precommit: Option<Duration>,
    /// From the round's start to its end.
    pub until_end: Duration,
}

/// One height as this operator saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeightReport {
    /// The height.
    pub height: BlockHeight,
    /// The block that the node has.
    pub hash: BlockHash,
    /// The round that made the decision, if this operator saw it.
    pub round: Option<Round>,
    /// The operator that led that round.
    pub leader: Option<OperatorId>,
    /// The operators whose block signatures were received.
    pub signers: BTreeSet<OperatorId>,
    /// From the height's start to the decision.
    pub until_decided: Option<Duration>,
    /// From the height's start to this operator's block signature.
    pub until_signed: Option<Duration>,
    /// From the height's start to the submission.
    pub until_submitted: Option<Duration>,
    /// From the height's start to the new tip; `None` if the tip came before the start.
    pub until_finished: Option<Duration>,
}

/// Something that needs a person's attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Alarm {
    /// A message carries this operator's signature but was not sent by this machine: the identity
    /// key is in use elsewhere, or the store was rolled back.
    OwnMessageFromElsewhere {
        /// The height it is about.
        height: BlockHeight,
        /// The round it is about.
        round: Round,
    },
    /// This operator's node is below a height known to be final; the machine waits for it.
    NodeBehind {
        /// The height of the node's tip.
        tip: BlockHeight,
        /// The height known to be final.
        last_final: BlockHeight,
    },
    /// The node replaced its tip with another block.
    TipReplaced {
        /// The height.
        height: BlockHeight,
        /// The block that was the tip.
        old: BlockHash,
        /// The block that is the tip now.
        new: BlockHash,
    },
    /// The node has a block other than the decided one at a height.
    OtherThanDecided {
        /// The height.
        height: BlockHeight,
        /// The block that was decided.
        decided: BlockHash,
        /// The block that the node has.
        tip: BlockHash,
    },
    /// A block was decided that this operator's node or policy had rejected.
    DecidedAgainstVerdict {
        /// The height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
    },
    /// A second block was decided at a height: more operators lie than the threshold tolerates.
    TwoDecisions {
        /// The height.
        height: BlockHeight,
        /// The block that was decided first.
        first: BlockHash,
        /// The other one.
        second: BlockHash,
    },
    /// The guard or the signer refuses to sign a decided block.
    SignRefused {
        /// The height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// The node rejects a decided and signed block.
    SubmitRejected {
        /// The height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// This operator's node returned a template with the wrong height, previous block or time.
    UnfitTemplate {
        /// The height.
        height: BlockHeight,
        /// Why.
        reason: Refusal,
    },
    /// This operator's node returned a template that does not belong to this chain: it has another
    /// form or other signers, or proposes other parameters. The machine cannot see any of this; the
    /// driver raises the alarm, and proposes nothing.
    ForeignTemplate {
        /// The height.
        height: BlockHeight,
        /// What is wrong with it.
        reason: String,
    },
    /// An operator sent a block that proposes other parameters of the chain, other signers
    /// included. The driver dropped it before the machine saw it.
    ParametersProposed {
        /// The height.
        height: BlockHeight,
        /// The operator that sent it.
        sender: OperatorId,
        /// What it proposes.
        reason: String,
    },
    /// A component that the driver was given does not answer, or is slow. The machine calls none of
    /// them; the driver raises the alarm and asks again.
    NoAnswer {
        /// The component.
        part: Part,
        /// How long the driver has waited.
        waited: Duration,
        /// Whether the driver gave up on the call.
        given_up: bool,
    },
    /// This operator failed at one of its duties for several blocks, each time it was asked. The
    /// driver counts.
    Missed {
        /// The duty.
        duty: Duty,
        /// For how many blocks already on the chain; 0 if the current height is the first.
        blocks: u32,
        /// Why it failed the last time.
        reason: String,
        /// Whether it was refused, so that a person must act; otherwise it may clear by itself.
        refused: bool,
    },
    /// The driver could not store a piece of evidence: it is only in the log.
    EvidenceNotKept {
        /// The operator that lied.
        culprit: OperatorId,
        /// The height that the evidence is about.
        height: BlockHeight,
        /// Why it was not stored.
        reason: String,
    },
    /// The store failed and the machine has stopped.
    Halted,
}

/// A component of an operator that is not its own code and may be unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// The holder of the identity key.
    IdentityKey,
    /// The holder of the block key.
    BlockKey,
    /// The holder of the reissuance key.
    ReissuanceKey,
    /// The block policy.
    Policy,
    /// The node.
    Node,
    /// The messenger.
    Messenger,
}

impl core::fmt::Display for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::IdentityKey => "identity key",
            Self::BlockKey => "block key",
            Self::ReissuanceKey => "reissuance key",
            Self::Policy => "block policy",
            Self::Node => "node",
            Self::Messenger => "messenger",
        })
    }
}

/// What an operator does for each block when it is its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Duty {
    /// To propose a block from its node, as the leader.
    Propose,
    /// To have its node and policy test other operators' proposals.
    Test,
    /// To broadcast its votes.
    Vote,
    /// To sign the decided block.
    Sign,
    /// To submit the signed block to its node.
    Submit,
}

impl Duty {
    /// Every duty.
    pub const ALL: [Self; 5] = [
        Self::Propose,
        Self::Test,
        Self::Vote,
        Self::Sign,
        Self::Submit,
    ];

    /// Describes the failure, for example `has signed no block`.
    #[must_use]
    pub const fn not_done(self) -> &'static str {
        match self {
            Self::Propose => "has proposed no block",
            Self::Test => "has tested no block",
            Self::Vote => "has cast no vote",
            Self::Sign => "has signed no block",
            Self::Submit => "has submitted no block to its node",
        }
    }

    /// Describes the recovery, for example `signs again`.
    #[must_use]
    pub const fn done_again(self) -> &'static str {
        match self {
            Self::Propose => "proposes again",
            Self::Test => "tests blocks again",
            Self::Vote => "votes again",
            Self::Sign => "signs again",
            Self::Submit => "submits blocks to its node again",
        }
    }
}
