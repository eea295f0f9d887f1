//! What the machine is told.

use bytes::Bytes;
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use secp256k1::ecdsa::Signature;

use crate::{Message, RawReissuance, Turn};

/// The own node's chain at the beginning of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the driver makes it")]
pub struct ChainView {
    /// Height of the best block.
    pub height: BlockHeight,
    /// Hash of the best block.
    pub tip: BlockHash,
    /// Time of block 1, once there is one.
    pub first_block: Option<UnixTime>,
}

/// What the own node says of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver makes it")]
pub enum Verdict {
    /// It may become the next block.
    Valid,
    /// It is complete already, and the best block.
    Complete,
    /// It may not, or the node does not answer.
    Invalid(String),
}

/// What the machine is told. Answers name the turn that they were asked in; a reason is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver handles them all")]
pub enum Input {
    /// The time has come that [`Machine::poll_timeout`](crate::Machine::poll_timeout) gave.
    Tick,
    /// The node's chain, or why it is not known.
    Chain {
        /// The turn of the question.
        turn: Turn,
        /// The answer.
        view: Result<ChainView, String>,
    },
    /// A new block of the own node's, or why there is none.
    Template {
        /// The turn of the question.
        turn: Turn,
        /// The answer.
        block: Result<Bytes, String>,
        /// Reissuances to be proposed with it.
        reissuances: Vec<RawReissuance>,
    },
    /// What the own node says of a proposal.
    Tested {
        /// The turn of the question.
        turn: Turn,
        /// The block.
        hash: BlockHash,
        /// The answer.
        verdict: Verdict,
    },
    /// Own signatures of a block, or why there are none.
    Signed {
        /// The turn of the question.
        turn: Turn,
        /// The block.
        hash: BlockHash,
        /// The answer.
        signatures: Result<Vec<Signature>, String>,
        /// Own signatures of the reissuances that were proposed with it.
        reissuances: Option<Vec<String>>,
    },
    /// What came of handing a block to the own node.
    Submitted {
        /// The block.
        hash: BlockHash,
        /// Taken, or why not.
        result: Result<(), String>,
    },
    /// A message from the wire. Nothing about it is trusted.
    Received {
        /// Whose connection or topic it came by, if the wire tells.
        from: Option<usize>,
        /// The message.
        message: Message,
    },
}
