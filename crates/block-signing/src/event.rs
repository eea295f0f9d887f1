//! What happened, for logs, metrics and the live view; nothing in the protocol depends on it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

/// Something that happened in the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        /// How long after the height's target; large when the chain is behind its schedule.
        late: Duration,
    },
    /// A round began.
    RoundStarted {
        /// The height.
        height: BlockHeight,
        /// The round.
        round: Round,
        /// Who leads it.
        leader: OperatorId,
    },
    /// A round ended.
    RoundEnded(Box<RoundReport>),
    /// A block was decided.
    Decided {
        /// The height.
        height: BlockHeight,
        /// The round whose precommits decided.
        round: Round,
        /// The block.
        hash: BlockHash,
    },
    /// The node has the block of a height that was worked on.
    HeightFinished(Box<HeightReport>),
    /// A proposal will not get this operator's prevote.
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
    /// An observer has seen a height become final without it, and takes part from the next.
    TakingPart {
        /// The first height at which it votes.
        from: BlockHeight,
    },
    /// Something a person should look at.
    Alarm(Alarm),
}

/// Why a proposal does not get a prevote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not stand on the own tip.
    WrongPrevious,
    /// The block is of another height than its proposal.
    WrongHeight,
    /// Its time is before the schedule.
    TooEarly,
    /// Its time is further ahead of the clock than allowed.
    TooLate,
    /// This operator is locked on another block.
    Locked,
    /// The node or the policy refuses it.
    Invalid(String),
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundOutcome {
    /// This block was decided in it.
    Decided(BlockHash),
    /// It ended without a decision, by M precommits.
    NotDecided,
    /// It was left because others are in a later round, or the height became final.
    Left,
}

/// What one round looked like from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundReport {
    /// The height.
    pub height: BlockHeight,
    /// The round.
    pub round: Round,
    /// Who led it.
    pub leader: OperatorId,
    /// How it ended.
    pub outcome: RoundOutcome,
    /// What was proposed, if anything came.
    pub proposal: Option<BlockHash>,
    /// The prevotes seen.
    pub prevotes: BTreeMap<OperatorId, Option<BlockHash>>,
    /// The precommits seen.
    pub precommits: BTreeMap<OperatorId, Option<BlockHash>>,
    /// From the round's start to the own prevote, if there was one.
    pub until_prevote: Option<Duration>,
    /// From the round's start to the own precommit, if there was one.
    pub until_precommit: Option<Duration>,
    /// From the round's start to its end.
    pub until_end: Duration,
}

/// What one height looked like from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeightReport {
    /// The height.
    pub height: BlockHeight,
    /// The block that the node has.
    pub hash: BlockHash,
    /// The round that decided, if the decision was seen.
    pub round: Option<Round>,
    /// Who led that round.
    pub leader: Option<OperatorId>,
    /// Whose block signatures were seen.
    pub signers: BTreeSet<OperatorId>,
    /// From the height's start to the decision.
    pub until_decided: Option<Duration>,
    /// From the height's start to the own block signature.
    pub until_signed: Option<Duration>,
    /// From the height's start to the submission.
    pub until_submitted: Option<Duration>,
    /// From the height's start to the new tip; none if the tip came before the start.
    pub until_finished: Option<Duration>,
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarm {
    /// A message with this operator's signature that this machine did not send: the identity key
    /// is in use elsewhere, or the store was set back.
    OwnMessageFromElsewhere {
        /// The height it is about.
        height: BlockHeight,
        /// The round it is about.
        round: Round,
    },
    /// The own node is below a height that is known to be final; the machine waits for it.
    NodeBehind {
        /// The height of the node's tip.
        tip: BlockHeight,
        /// The height known to be final.
        last_final: BlockHeight,
    },
    /// The node put another block in the place of its tip.
    TipReplaced {
        /// The height.
        height: BlockHeight,
        /// The block that was there.
        old: BlockHash,
        /// The block that is there now.
        new: BlockHash,
    },
    /// The node has another block at a height than the one that was decided.
    OtherThanDecided {
        /// The height.
        height: BlockHeight,
        /// The block that was decided.
        decided: BlockHash,
        /// The block that the node has.
        tip: BlockHash,
    },
    /// A block was decided that the own node or policy had refused.
    DecidedAgainstVerdict {
        /// The height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
    },
    /// A second decision with another block: more operators lie than the threshold allows.
    TwoDecisions {
        /// The height.
        height: BlockHeight,
        /// The block that was decided first.
        first: BlockHash,
        /// The other one.
        second: BlockHash,
    },
    /// The guard or the signer does not sign a decided block.
    SignRefused {
        /// The height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// The node refuses a decided and signed block.
    SubmitRejected {
        /// The height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// The own node's template does not fit: wrong height, previous block or time.
    UnfitTemplate {
        /// The height.
        height: BlockHeight,
        /// Why.
        reason: Refusal,
    },
    /// The own node's template is none of this chain: it has another form or other signers, or it
    /// proposes other parameters. The machine knows none of these; the driver says so, and proposes
    /// nothing.
    ForeignTemplate {
        /// The height.
        height: BlockHeight,
        /// What is wrong with it.
        reason: String,
    },
    /// An operator sent a block that proposes other parameters of the chain, other signers among
    /// them. The driver dropped it before the machine saw it.
    ParametersProposed {
        /// The height.
        height: BlockHeight,
        /// Who sent it.
        sender: OperatorId,
        /// What it proposes.
        reason: String,
    },
    /// A part that the driver was given does not answer, or takes long. The machine does not call any;
    /// the driver says so, and asks again.
    NoAnswer {
        /// Which part.
        part: Part,
        /// How long it has been waited for.
        waited: Duration,
        /// Whether the call was given up.
        given_up: bool,
    },
    /// This operator has not done its share for some blocks: it was asked to, and failed each time. The
    /// driver counts.
    Missed {
        /// What it has not done.
        duty: Duty,
        /// Since how many blocks that are on the chain; 0 if the height worked on is the first.
        blocks: u32,
        /// Why, the last time.
        reason: String,
        /// Whether somebody said no, so that a person must see to it; otherwise it may pass.
        refused: bool,
    },
    /// The driver could not keep a piece of evidence: it is in its log only.
    EvidenceNotKept {
        /// Who lied.
        culprit: OperatorId,
        /// The height that the evidence is about.
        height: BlockHeight,
        /// Why it is not kept.
        reason: String,
    },
    /// The store failed and the machine stands still.
    Halted,
}

/// A part of an operator that is not its own code and may be out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// What holds the identity key.
    IdentityKey,
    /// What holds the block key.
    BlockKey,
    /// What holds the key for reissuances.
    ReissuanceKey,
    /// The policy on blocks.
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

/// What an operator does for each block, if it is its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Duty {
    /// To propose a block of its node's, as the leader.
    Propose,
    /// To have its node and policy test what others propose.
    Test,
    /// To say its votes.
    Vote,
    /// To sign the decided block.
    Sign,
    /// To hand the signed block to its node.
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

    /// What was not done: `signed no block`.
    #[must_use]
    pub const fn not_done(self) -> &'static str {
        match self {
            Self::Propose => "has proposed no block",
            Self::Test => "has tested no block",
            Self::Vote => "has said no vote",
            Self::Sign => "has signed no block",
            Self::Submit => "has handed no block to its node",
        }
    }

    /// That it is done again: `signs again`.
    #[must_use]
    pub const fn done_again(self) -> &'static str {
        match self {
            Self::Propose => "proposes again",
            Self::Test => "tests blocks again",
            Self::Vote => "votes again",
            Self::Sign => "signs again",
            Self::Submit => "hands blocks to its node again",
        }
    }
}
