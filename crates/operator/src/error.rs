//! Why an operator does not start, and why it stops.

use federation_block_signing::ConfigError;
use federation_chain::{BlockHash, BlockHeight, CheckError, Dialect, UnixTime};
use federation_multisig::PublicKey;
use federation_ocean_rpc::RpcError;
use federation_roster::{OperatorId, Round, XOnlyPublicKey};
use federation_signer::{GuardError, SignerError};

use crate::{Halt, HaltReason, StoreError};

/// The shortest dynafed epoch, in blocks, with which an operator starts. Four fifths of an epoch's
/// blocks, rounded down, can change who signs; with fewer than five blocks, that would be one, two
/// or three of them.
pub const MIN_EPOCH_LENGTH: u32 = federation_genesis::MIN_EPOCH_LENGTH;

/// Why an operator does not start.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The operator is not in the roster.
    #[error("operator {0} is not in the roster")]
    NotInRoster(OperatorId),
    /// The block key differs from the roster's.
    #[error(
        "the block key file holds {found}, the roster has {expected} for `{name}`: use the key that belongs to this operator"
    )]
    BlockKey {
        /// The operator's name.
        name: String,
        /// The key in the roster.
        expected: Box<PublicKey>,
        /// The signer's key.
        found: Box<PublicKey>,
    },
    /// The identity key differs from the roster's.
    #[error(
        "the identity key file holds {found}, the roster has {expected} for `{name}`: use the key that belongs to this operator"
    )]
    IdentityKey {
        /// The operator's name.
        name: String,
        /// The key in the roster.
        expected: Box<XOnlyPublicKey>,
        /// The signer's key.
        found: Box<XOnlyPublicKey>,
    },
    /// The parameters are invalid.
    #[error(transparent)]
    Parameters(#[from] ConfigError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The guard cannot be used.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The node cannot be used.
    #[error("the node cannot be used: {0}")]
    Node(#[from] RpcError),
    /// The node is on another chain.
    #[error(
        "the node is on another chain: its genesis is {found}, the federation's is {expected}: check the node's chain, signblockscript and datadir"
    )]
    OtherChain {
        /// The federation's value.
        expected: BlockHash,
        /// The node's value.
        found: BlockHash,
    },
    /// The node's chain has another dialect.
    #[error(
        "the node's chain is {found}, the federation's is {expected}: check the node's evbparams, or the dialect in federation.toml"
    )]
    OtherDialect {
        /// The federation's value.
        expected: Dialect,
        /// The node's value.
        found: Dialect,
    },
    /// The chain's epochs are so short that proposals in a few blocks would change who signs.
    #[error(
        "the chain has epochs of {0} blocks (dynamic_epoch_length), so one, two or three blocks could change who signs; at least {MIN_EPOCH_LENGTH} are required: an existing chain cannot change this, so begin a new one with 10, the nodes' default"
    )]
    ShortEpochs(u32),
    /// The chain may change its block format while the operators run.
    #[error(
        "the node's chain is {0} now, but dynafed can activate on it later, by signalling or at a set time, and no operator could sign from that block on: start all nodes with evbparams=dynafed:-2::: (never), or begin a chain with evbparams=dynafed:-1::: (from block 1)"
    )]
    FormatChanges(Dialect),
    /// The node's chain is signed with another script.
    #[error(
        "the node's next block must be signed by {found}, the federation's script is {expected}: check the roster, the threshold and the order of keys"
    )]
    OtherScript {
        /// The federation's, in hex.
        expected: String,
        /// The node's, in hex.
        found: String,
    },
    /// The node's best block is not a block of this federation.
    #[error("the node's best block is not signed by this federation")]
    BadTip(#[from] CheckError),
    /// A setting of the node's chain differs from the certificate.
    #[error("the node's {name} is {found}, the certificate says {expected}")]
    NotCertified {
        /// The setting.
        name: &'static str,
        /// The agreed value.
        expected: String,
        /// The node's value.
        found: String,
    },
    /// Block 1 lacks the agreed sweep.
    #[error(
        "{0}: this is not the agreed chain; check the node's datadir and `sweep` in federation.toml"
    )]
    NoSweep(String),
    /// The clocks of node and operator differ.
    #[error("the node's clock says {node}, this machine's says {own}: set both by NTP")]
    Clock {
        /// The time in the node's template.
        node: UnixTime,
        /// This machine's time.
        own: UnixTime,
    },
    /// The key was declared new, but has signed on this chain.
    #[error(
        "the key was declared new, but the block at height {height} has its signature: the store was lost or is not the newest; without new_key_until the operator begins as an observer, or set a watermark with `federation guard repair`"
    )]
    LostStore {
        /// The highest block found with a signature by this operator's key.
        height: BlockHeight,
    },
    /// The store is empty, and the operator cannot begin as an observer because every block needs
    /// all operators.
    #[error(
        "the store or its guard is empty, the chain is at height {tip}, and every operator of this federation must sign each block, so this one cannot find out as an observer what it may sign: restore the newest store, or the guard alone with `federation guard repair --trust-store`; only if this key has never signed on this chain, start with --new-key-until {}", .tip.to_u32().saturating_add(100)
    )]
    EmptyStore {
        /// The node's tip.
        tip: BlockHeight,
    },
    /// The node returned a header that does not belong to this chain.
    #[error("the node's block {hash} has a header that cannot be used: {reason}")]
    Header {
        /// The block.
        hash: BlockHash,
        /// What is wrong with the header.
        reason: String,
    },
    /// The operator halted earlier, and the halt has not been cleared.
    #[error("the operator halted at {}: {halt}; {}, and clear the halt with `federation guard resume`", .halt.time, .halt.reason.help())]
    Halted {
        /// Why and where it halted.
        halt: Halt,
    },
    /// The key has signed blocks of which the store does not know.
    #[error(
        "the store is older than the chain: it knows what this operator's key has signed up to height {remembered}, but the block at height {height} has its signature: start with the newest store, or repair this one with `federation guard repair --at-least {height}`"
    )]
    OldStore {
        /// The highest block found with a signature by this operator's key.
        height: BlockHeight,
        /// The height up to which the guard knows the key's signatures.
        remembered: BlockHeight,
    },
}

impl StartError {
    /// Whether a person must act: a restart does not help, so a service manager should not attempt
    /// one.
    #[must_use]
    pub const fn needs_intervention(&self) -> bool {
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
    /// A message arrived that this operator's identity key has signed but this daemon has not sent:
    /// another daemon runs with the same key, and the two will contradict each other sooner or
    /// later.
    #[error(
        "another daemon spoke for this operator at height {height}, round {round}: stop both, find out which store is newer, and start only the daemon that has it"
    )]
    Twin {
        /// The height of the message.
        height: BlockHeight,
        /// The round of the message.
        round: Round,
    },
    /// A block has a signature by this operator's key that its guard does not know.
    #[error(
        "block {hash} at height {height} has a signature by this operator's key that its guard does not know: the store is outdated, or another daemon signs with the key"
    )]
    OldStore {
        /// The block's height.
        height: BlockHeight,
        /// The block.
        hash: BlockHash,
    },
    /// Two blocks were decided at one height: more operators are faulty, or run with wrong stores,
    /// than the threshold tolerates.
    #[error(
        "blocks {first} and {second} were both decided at height {height}: more operators are faulty, or run with wrong stores, than the threshold tolerates"
    )]
    TwoDecisions {
        /// The height.
        height: BlockHeight,
        /// The block that was decided first.
        first: BlockHash,
        /// The other block.
        second: BlockHash,
    },
    /// The operator began with an empty store on a node that had not loaded the chain yet.
    #[error(
        "the store is empty, and the node had not loaded the chain yet when the operator started: restart it to begin as an observer"
    )]
    ChainHadBegun,
    /// The guard's store failed, or the key will sign nothing more in this process, for example
    /// because a hardware module hangs. An operator that cannot sign must not vote either. The next
    /// start opens both anew.
    #[error("the operator stopped because its guard or its key failed")]
    Guard(#[from] GuardError),
    /// The identity key will sign nothing more in this process. The next start opens it anew.
    #[error("the operator stopped because its identity key no longer signs")]
    Identity(#[source] SignerError),
    /// The store failed. Without it nothing may be sent or signed.
    #[error("the operator stopped because its store failed")]
    Store(#[from] StoreError),
    /// The messenger failed for good.
    #[error("the operator stopped because its messenger failed")]
    Messenger(#[from] federation_messenger::MessengerError),
    /// A task ended unexpectedly: a bug.
    #[error("the operator stopped because one of its tasks ended: {0}")]
    Task(String),
}

impl OperatorError {
    /// Returns the halt that this error means, if a person must act before the next start. A
    /// restart may cure every other error, such as a full disk that has space again.
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
