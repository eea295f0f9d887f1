//! Inputs: what the driver reports to the machine.

use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};

use crate::{Candidate, CompactSignature, SignedMessage};

/// The best block of the operator's node.
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
    /// The time in the header of block 1; `None` while there is no block 1.
    pub first_block_time: Option<UnixTime>,
}

/// The verdict of the operator's node and policy on a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The node would accept it once signed, and the policy accepts it.
    Valid,
    /// The node or the policy rejects it, for this reason.
    Invalid(String),
    /// The node did not answer.
    Unavailable,
}

/// The outcome of submitting a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The node accepted it, or already had it.
    Accepted,
    /// The node rejected it, for this reason.
    Rejected(String),
    /// The node did not answer.
    Unavailable,
}

/// Everything that can happen to a machine. Deliberately exhaustive.
///
/// The driver has already checked what can be checked without the protocol's state: the signatures
/// of envelopes and of the votes inside certificates, block signatures, and the contents of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The node's tip, at the start and after each change; reporting the same tip twice is
    /// harmless.
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
    /// The node returned no template, or one that cannot be used.
    TemplateFailed {
        /// As in the request.
        height: BlockHeight,
        /// As in the request.
        round: Round,
    },
    /// The answer to [`TestBlock`](crate::Output::TestBlock).
    Tested {
        /// As in the request. The hash alone is not enough: a verdict on one copy does not apply to
        /// another, whose witnesses may differ.
        candidate: Candidate,
        /// The verdict of node and policy; also [`Verdict::Unavailable`] if they were not asked.
        verdict: Verdict,
    },
    /// A verified message, of another operator or, once signed and sent, of this one. Bodies arrive
    /// as [`Body`](Self::Body) instead.
    Received(SignedMessage),
    /// Another operator's block, decoded and checked.
    Body {
        /// The operator that sent it.
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
    /// The guard or the signer refused to sign. The machine asks again at its next retransmission.
    SignRefused {
        /// The height of the block.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// The signer could not be reached, or did not answer in time. This is not a refusal and does
    /// not need a person at once. The machine asks again at its next retransmission.
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
        /// What the node did with it.
        outcome: SubmitOutcome,
    },
    /// A [`Persist`](crate::Output::Persist) failed. The machine stops and produces no further
    /// output.
    StoreFailed,
    /// Time has passed, and nothing else.
    Tick,
}
