//! The outputs of the machine: requests and events.

use federation_chain::{Block, BlockHash, BlockHeight};

use crate::{Message, RawReissuance, Turn};

/// A request to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver handles all of them")]
pub enum Output {
    /// Query our node's chain; answer with [`Input::Chain`](crate::Input::Chain).
    AskChain(Turn),
    /// Request a new block from our node; answer with [`Input::Template`](crate::Input::Template).
    AskTemplate(Turn),
    /// Have our node test a proposal; answer with
    /// [`Input::Tested`](crate::Input::Tested).
    TestBlock {
        /// The turn.
        turn: Turn,
        /// The proposal.
        block: Block,
    },
    /// Sign a block, if the guard admits it, and the reissuances proposed with it, if our node would
    /// create the same; answer with [`Input::Signed`](crate::Input::Signed).
    SignBlock {
        /// The turn.
        turn: Turn,
        /// The block.
        block: Block,
        /// The reissuances.
        reissuances: Vec<RawReissuance>,
    },
    /// Complete our reissuances and send them to our node.
    Reissue {
        /// The reissuances.
        reissuances: Vec<RawReissuance>,
        /// The others' signatures of them.
        signatures: Vec<Vec<String>>,
    },
    /// Broadcast a message to the other operators.
    Publish(Message),
    /// Submit a complete block to our node; answer with
    /// [`Input::Submitted`](crate::Input::Submitted).
    Submit(Block),
    /// The chain has reached the end of this protocol: stop.
    Finish {
        /// The first height of the next protocol.
        until: BlockHeight,
    },
    /// An event for the log.
    Event(Event),
}

/// An event, for the log and for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A turn began.
    TurnBegan {
        /// The height of the block to create.
        height: BlockHeight,
        /// The leader's index.
        leader: usize,
        /// Whether the turn takes half the interval.
        catching_up: bool,
    },
    /// The node did not answer at the start of a turn, which is skipped; with the reason.
    NodeUnreachable(String),
    /// Our block was proposed.
    Proposed {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
    },
    /// Our node gave no block to propose; with the reason.
    NoTemplate(String),
    /// No proposal was received in time.
    NoProposal {
        /// The height.
        height: BlockHeight,
        /// The operator that should have sent it.
        leader: usize,
    },
    /// A proposal was not signed.
    Refused {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
        /// The reason.
        reason: String,
    },
    /// A duty was done too late to be useful.
    TooLate {
        /// The proposal's hash.
        hash: BlockHash,
        /// The duty.
        duty: Duty,
    },
    /// Another operator's block was signed.
    Signed {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
    },
    /// Too few operators signed our block.
    TooFewSignatures {
        /// Its height.
        height: BlockHeight,
        /// How many others signed.
        have: usize,
        /// How many others must sign.
        need: usize,
    },
    /// Our block is complete.
    Completed {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
        /// The signers' key indices in the script.
        signers: Vec<usize>,
    },
    /// The node rejected our block.
    Rejected {
        /// Its hash.
        hash: BlockHash,
        /// The reason.
        reason: String,
    },
    /// This operator failed a duty in several turns in a row.
    DutyFailed {
        /// The duty.
        duty: Duty,
        /// The number of turns.
        turns: u32,
        /// The last reason.
        reason: String,
    },
    /// A duty reported as failed is done again.
    DutyResumed(Duty),
    /// A message was dropped.
    Dropped {
        /// The operator whose connection or topic it came from, if the wire shows it.
        from: Option<usize>,
        /// The reason.
        reason: &'static str,
    },
}

/// What an operator does for each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Duty {
    /// Having its node test the proposal.
    Test,
    /// Signing.
    Sign,
}

impl core::fmt::Display for Duty {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Test => "testing proposals",
            Self::Sign => "signing",
        })
    }
}
