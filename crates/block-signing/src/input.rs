//! What the driver tells the machine.

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

use crate::{Candidate, CompactSignature, SignedMessage};

/// The operator's own node's best block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: BlockHeight,
    /// Its hash.
    pub hash: BlockHash,
    /// The time in its header.
    pub time: UnixTime,
    /// The median of the times of the last eleven blocks up to it.
    pub median_time: UnixTime,
    /// The time in the header of block 1; none while there is none.
    pub first_block_time: Option<UnixTime>,
}

/// What the operator's node and policy say of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The node would take it once signed, and the policy accepts it.
    Valid,
    /// The node or the policy refuses it, for this reason.
    Invalid(String),
    /// The node did not answer.
    Unavailable,
}

/// What became of a submitted block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The node took it, or had it already.
    Accepted,
    /// The node refuses it, for this reason.
    Rejected(String),
    /// The node did not answer.
    Unavailable,
}

/// Everything that can happen to a machine. Exhaustive on purpose.
///
/// The driver has checked what it can check without the protocol's state: signatures of envelopes
/// and of the votes inside certificates, block signatures, and the inside of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The node's tip, at the start and after each change; the same tip twice does no harm.
    Tip(Tip),
    /// The node's answer to [`RequestTemplate`](crate::Output::RequestTemplate).
    Template {
        /// As in the request.
        height: BlockHeight,
        /// As in the request.
        round: Round,
        /// The fresh block.
        candidate: Candidate,
    },
    /// The node gave no template, or one that cannot be used.
    TemplateFailed {
        /// As in the request.
        height: BlockHeight,
        /// As in the request.
        round: Round,
    },
    /// The answer to [`TestBlock`](crate::Output::TestBlock).
    Tested {
        /// As in the request. Not the hash alone: a verdict on one copy says nothing about another,
        /// whose witnesses may differ.
        candidate: Candidate,
        /// What node and policy say; [`Verdict::Unavailable`] also if they were not asked.
        verdict: Verdict,
    },
    /// A verified message, of another operator or, once signed and sent, of this one. Bodies come
    /// as [`Body`](Self::Body) instead.
    Received(SignedMessage),
    /// A block of another operator, decoded and checked.
    Body {
        /// Who sent it.
        from: OperatorId,
        /// The block.
        candidate: Candidate,
    },
    /// The guard and the signer made the signature that [`SignBlock`](crate::Output::SignBlock)
    /// asked for.
    Signed {
        /// The height of the block.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// The signature.
        signature: CompactSignature,
    },
    /// The guard or the signer did not sign. The machine asks again at its beat.
    SignRefused {
        /// The height of the block.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// The signer could not be reached, or did not answer in time: no refusal, and nothing that a
    /// person must see to at once. The machine asks again at its beat.
    SignUnavailable {
        /// The height of the block.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
    },
    /// The answer to [`Submit`](crate::Output::Submit). After an accepted one the machine waits
    /// for the new [`Tip`](Self::Tip).
    Submitted {
        /// The height of the block.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// What the node made of it.
        outcome: SubmitOutcome,
    },
    /// A [`Persist`](crate::Output::Persist) failed. The machine puts out nothing any more.
    StoreFailed,
    /// Nothing but time has passed.
    Tick,
}
