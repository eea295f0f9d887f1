//! The inputs of the machine.

use bytes::Bytes;
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use secp256k1::ecdsa::Signature;

use crate::{Message, RawReissuance, Turn};

/// Our node's chain at the start of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "created by the driver")]
pub struct ChainView {
    /// Height of the best block.
    pub height: BlockHeight,
    /// Hash of the best block.
    pub tip: BlockHash,
    /// Time of block 1, once there is one.
    pub first_block: Option<UnixTime>,
}

/// Our node's verdict on a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "created by the driver")]
pub enum Verdict {
    /// It is valid as the next block.
    Valid,
    /// It is complete already and the node's best block.
    Complete,
    /// It is invalid, or the node did not answer; with the reason.
    Invalid(String),
}

/// An input of the machine. Answers name the turn they were requested in; reasons are for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver handles them all")]
pub enum Input {
    /// The time returned by [`Machine::poll_timeout`](crate::Machine::poll_timeout) has come.
    Tick,
    /// The node's chain, or why it is unknown.
    Chain {
        /// The turn of the request.
        turn: Turn,
        /// The answer.
        view: Result<ChainView, String>,
    },
    /// A new block from our node, or why there is none.
    Template {
        /// The turn of the request.
        turn: Turn,
        /// The answer.
        block: Result<Bytes, String>,
        /// Reissuances to propose with it.
        reissuances: Vec<RawReissuance>,
    },
    /// Our node's verdict on a proposal.
    Tested {
        /// The turn of the request.
        turn: Turn,
        /// The block.
        hash: BlockHash,
        /// The answer.
        verdict: Verdict,
    },
    /// Our signatures of a block, or why there are none.
    Signed {
        /// The turn of the request.
        turn: Turn,
        /// The block.
        hash: BlockHash,
        /// The answer.
        signatures: Result<Vec<Signature>, String>,
        /// Our signatures of the reissuances proposed with it.
        reissuances: Option<Vec<String>>,
    },
    /// The result of submitting a block to our node.
    Submitted {
        /// The block.
        hash: BlockHash,
        /// Accepted, or why not.
        result: Result<(), String>,
    },
    /// An untrusted message from the wire.
    Received {
        /// The operator whose connection or topic it came from, if the wire shows it.
        from: Option<usize>,
        /// The message.
        message: Message,
    },
}
