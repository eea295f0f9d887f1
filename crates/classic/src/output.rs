//! What the machine asks for, and what it tells.

use federation_chain::{Block, BlockHash, BlockHeight};

use crate::{Message, RawReissuance, Turn};

/// What the machine asks its driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver does them all")]
pub enum Output {
    /// Look at the own node's chain; answer with [`Input::Chain`](crate::Input::Chain).
    AskChain(Turn),
    /// Ask the own node for a new block; answer with [`Input::Template`](crate::Input::Template).
    AskTemplate(Turn),
    /// Ask the own node whether a proposal is valid; answer with
    /// [`Input::Tested`](crate::Input::Tested).
    TestBlock {
        /// The turn.
        turn: Turn,
        /// The proposal.
        block: Block,
    },
    /// Sign a block, if the guard lets it pass, and the reissuances that were proposed with it, if they
    /// are the own node's; answer with [`Input::Signed`](crate::Input::Signed).
    SignBlock {
        /// The turn.
        turn: Turn,
        /// The block.
        block: Block,
        /// The reissuances.
        reissuances: Vec<RawReissuance>,
    },
    /// Complete own reissuances and hand them to the own node.
    Reissue {
        /// The reissuances.
        reissuances: Vec<RawReissuance>,
        /// The others' signatures of them.
        signatures: Vec<Vec<String>>,
    },
    /// Tell the other operators.
    Publish(Message),
    /// Hand a complete block to the own node; answer with
    /// [`Input::Submitted`](crate::Input::Submitted).
    Submit(Block),
    /// The chain has come to where this protocol ends: stop.
    Finish {
        /// The first height of the next protocol.
        until: BlockHeight,
    },
    /// For the log.
    Event(Event),
}

/// What happened, for the log and for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A turn begins.
    TurnBegan {
        /// The height of the block to be made.
        height: BlockHeight,
        /// Who leads.
        leader: usize,
        /// Whether it is a turn of half the interval.
        catching_up: bool,
    },
    /// The node did not answer at the beginning of a turn, so it is left out.
    NodeAway(String),
    /// The own block was proposed.
    Proposed {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
    },
    /// The own node gave no block that can be proposed.
    NoTemplate(String),
    /// No proposal came in time.
    NoProposal {
        /// The height.
        height: BlockHeight,
        /// Who should have sent it.
        leader: usize,
    },
    /// A proposal was not signed, and why.
    Refused {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// A share of a proposal was done when it was of no use any more.
    TooLate {
        /// The proposal's hash.
        hash: BlockHash,
        /// Which.
        share: Share,
    },
    /// Another operator's block was signed.
    Signed {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
    },
    /// Too few operators signed the own block.
    TooFewSignatures {
        /// Its height.
        height: BlockHeight,
        /// How many did, the own not counted.
        have: usize,
        /// How many were needed.
        need: usize,
    },
    /// The own block is complete.
    Completed {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
        /// Who signed it, as places in the script.
        signers: Vec<usize>,
    },
    /// The node did not take the own block.
    NotTaken {
        /// Its hash.
        hash: BlockHash,
        /// Why.
        reason: String,
    },
    /// This operator was asked for its share in so many turns, and failed in each.
    Missed {
        /// What it has not done.
        share: Share,
        /// In how many turns.
        turns: u32,
        /// Why, the last time.
        reason: String,
    },
    /// What was told as missed is done again.
    DoneAgain(Share),
    /// A message was dropped, and why.
    Dropped {
        /// Whose connection or topic it came by, if the wire tells.
        from: Option<usize>,
        /// Why.
        reason: &'static str,
    },
}

/// What an operator does for the blocks of others and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Share {
    /// To have its node test what is proposed.
    Test,
    /// To sign.
    Sign,
}

impl core::fmt::Display for Share {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Test => "tests",
            Self::Sign => "signs",
        })
    }
}
