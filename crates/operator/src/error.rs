//! Why an operator does not start, and why one stops.

use federation_block_signing::ConfigError;
use federation_chain::{BlockHash, BlockHeight, CheckError, Dialect, UnixTime};
use federation_multisig::PublicKey;
use federation_ocean_rpc::RpcError;
use federation_roster::{OperatorId, Round, XOnlyPublicKey};
use federation_signer::{GuardError, SignerError};

use crate::{Halt, HaltReason, StoreError};

/// The fewest blocks of a dynafed epoch with which an operator starts: four fifths of them, rounded
/// down, change who signs, and of fewer than five that is one, two or three.
pub const MIN_EPOCH_LENGTH: u32 = federation_genesis::MIN_EPOCH_LENGTH;

/// Why an operator does not start.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The roster has no such operator.
    #[error("operator {0} is not in the roster")]
    NotInRoster(OperatorId),
    /// The block key is another than the roster's.
    #[error(
        "the block key file holds {found}, the roster has {expected} for `{name}`: use the key that belongs to this operator"
    )]
    BlockKey {
        /// Whose.
        name: String,
        /// What the roster has.
        expected: Box<PublicKey>,
        /// What the signer has.
        found: Box<PublicKey>,
    },
    /// The identity key is another than the roster's.
    #[error(
        "the identity key file holds {found}, the roster has {expected} for `{name}`: use the key that belongs to this operator"
    )]
    IdentityKey {
        /// Whose.
        name: String,
        /// What the roster has.
        expected: Box<XOnlyPublicKey>,
        /// What the signer has.
        found: Box<XOnlyPublicKey>,
    },
    /// The parameters make no machine.
    #[error(transparent)]
    Parameters(#[from] ConfigError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The guard cannot be used.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The node refuses to talk at all.
    #[error("the node cannot be used: {0}")]
    Node(#[from] RpcError),
    /// The node is of another chain.
    #[error(
        "the node is on another chain: its genesis is {found}, the federation's is {expected}: check the node's chain, signblockscript and datadir"
    )]
    OtherChain {
        /// The federation's.
        expected: BlockHash,
        /// The node's.
        found: BlockHash,
    },
    /// The node's chain speaks another dialect.
    #[error(
        "the node's chain is {found}, the federation's is {expected}: check the node's evbparams, or the dialect in federation.toml"
    )]
    OtherDialect {
        /// The federation's.
        expected: Dialect,
        /// The node's.
        found: Dialect,
    },
    /// Proposals of a few blocks would change who signs.
    #[error(
        "the chain has epochs of {0} blocks (dynamic_epoch_length), of which one, two or three change who signs, and at least {MIN_EPOCH_LENGTH} are wanted: a chain that has begun cannot change it, so begin another, with 10, which is what nodes take if it is not set"
    )]
    ShortEpochs(u32),
    /// The chain will change its form while the operators run.
    #[error(
        "the node's chain is {0} now, and dynafed can begin on it later, by signals or at a time: no operator could sign from that block on. Start all nodes with evbparams=dynafed:-2::: (never), or begin a chain with evbparams=dynafed:-1::: (from block 1)"
    )]
    FormatChanges(Dialect),
    /// The node's chain is signed by another script.
    #[error(
        "the node's next block must be signed by {found}, the federation's script is {expected}: check the roster, the threshold and the order of keys"
    )]
    OtherScript {
        /// The federation's, in hex.
        expected: String,
        /// The node's, in hex.
        found: String,
    },
    /// A block of the node's that is none.
    #[error("the node's best block is not signed by this federation")]
    BadTip(#[from] CheckError),
    /// The node has another setting of the chain than the certificate.
    #[error("the node's {name} is {found}, the certificate says {expected}")]
    NotCertified {
        /// Which setting.
        name: &'static str,
        /// What was agreed on.
        expected: String,
        /// What the node tells.
        found: String,
    },
    /// The chain began otherwise than was agreed.
    #[error(
        "{0}: this is not the chain that was agreed on; check the node's datadir and `sweep` in federation.toml"
    )]
    NoSweep(String),
    /// The clocks of node and operator differ.
    #[error("the node's clock says {node}, this machine's {own}: set both by NTP")]
    Clock {
        /// The time in the node's template.
        node: UnixTime,
        /// The own time.
        own: UnixTime,
    },
    /// The key was said to be new, and has signed on this chain.
    #[error(
        "the key is said to be new, but the block at height {height} has a signature by it: the store is lost or not the newest; without new_key_until the operator begins as an observer, `federation guard repair` sets a watermark besides"
    )]
    LostStore {
        /// The highest block found with an own signature.
        height: BlockHeight,
    },
    /// Nothing is remembered, and blocks need every operator, so none can sit out a height.
    #[error(
        "the store or its guard is empty, the chain is at height {tip}, and every operator of this federation must sign each block, so this one cannot find out as an observer what it may sign: restore the newest store, or the guard alone by `federation guard repair --trust-store`; only if this key has never signed on this chain, start with --new-key-until {}", .tip.to_u32().saturating_add(100)
    )]
    EmptyStore {
        /// The node's tip.
        tip: BlockHeight,
    },
    /// A header of the node's that is none of this chain's.
    #[error("the node's block {hash} has a header that cannot be used: {reason}")]
    Header {
        /// Which block's.
        hash: BlockHash,
        /// What is wrong.
        reason: String,
    },
    /// The operator halted earlier, and nobody has cleared that.
    #[error("the operator halted at {}: {halt}; {}, and clear the halt by `federation guard resume`", .halt.time, .halt.reason.help())]
    Halted {
        /// What ended it.
        halt: Halt,
    },
    /// The key has signed since the store was last written.
    #[error(
        "the store is older than the chain: it remembers what this operator's key has signed up to height {remembered}, and the block at height {height} has its signature: start with the newest store, or set this one right by `federation guard repair --at-least {height}`"
    )]
    OldStore {
        /// The highest block found with an own signature.
        height: BlockHeight,
        /// Where the guard's memory ends.
        remembered: BlockHeight,
    },
}

impl StartError {
    /// Whether this is for people: starting again does not help, and a service manager should not.
    #[must_use]
    pub const fn is_for_people(&self) -> bool {
        matches!(
            self,
            Self::LostStore { .. }
                | Self::EmptyStore { .. }
                | Self::OldStore { .. }
                | Self::Halted { .. }
        )
    }
}

/// Why a running operator stopped by itself.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// A message came in that this operator's identity key has signed and this daemon has not: two
    /// daemons with one key contradict each other sooner or later.
    #[error(
        "another daemon spoke for this operator at height {height}, round {round}: stop both, find out which store is the newer, and start only the one that has it"
    )]
    Twin {
        /// The height that the message was about.
        height: BlockHeight,
        /// The round.
        round: Round,
    },
    /// A block came in with a signature by this operator's key of which its guard knows nothing.
    #[error(
        "the block {hash} at height {height} has a signature by this operator's key of which its guard knows nothing: the store is older than what the key has signed, or another daemon signs with the key"
    )]
    OldStore {
        /// The block's height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
    },
    /// Two blocks were decided at one height: more operators lie, or have wrong stores, than the
    /// threshold stands.
    #[error(
        "blocks {first} and {second} were both decided at height {height}: more operators lie, or run with wrong stores, than the threshold stands"
    )]
    TwoDecisions {
        /// The height.
        height: BlockHeight,
        /// The block that was decided first.
        first: BlockHash,
        /// The other one.
        second: BlockHash,
    },
    /// The operator began with an empty store on a node that had not loaded the chain yet.
    #[error(
        "the store is empty, and the node had not loaded the chain yet when the operator started: start again, to begin as an observer"
    )]
    ChainHadBegun,
    /// The guard's store failed, or the key signs nothing any more in this process, as when a hardware
    /// module hangs: nothing is signed, so nothing is voted for either. The next start opens both anew.
    #[error("the operator stopped because its guard or its key failed")]
    Guard(#[from] GuardError),
    /// The identity key signs nothing any more in this process. The next start opens it anew.
    #[error("the operator stopped because its identity key signs nothing any more")]
    Identity(#[source] SignerError),
    /// The store failed: nothing is said or signed any more.
    #[error("the operator stopped because its store failed")]
    Store(#[from] StoreError),
    /// The messenger is beyond repair.
    #[error("the operator stopped because its messenger failed")]
    Messenger(#[from] federation_messenger::MessengerError),
    /// A task ended that should not: a bug.
    #[error("the operator stopped because a task of its own ended: {0}")]
    Task(String),
}

impl OperatorError {
    /// The halt that this is, at this time: for people, not for a restart. Everything else may pass
    /// with a restart, as a failed disk does that has space again.
    #[must_use]
    pub const fn halt(&self, time: UnixTime) -> Option<Halt> {
        let (reason, height) = match self {
            Self::Twin { height, .. } => (HaltReason::Twin, *height),
            Self::OldStore { height, .. } => (HaltReason::OldStore, *height),
            Self::TwoDecisions { height, .. } => (HaltReason::TwoDecisions, *height),
            _ => return None,
        };
        Some(Halt {
            reason,
            height,
            time,
        })
    }
}
