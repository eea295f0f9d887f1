//! Errors of a node, and the reasons its RPC gives for invalid blocks and transactions.

use elements::OutPoint;

/// A node that cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevNodeError {
    /// The script or limit does not make a chain.
    #[error(transparent)]
    Rules(#[from] federation_chain::RulesError),
    /// The chain's name or coins are not possible on a node.
    #[error("these settings do not make a genesis block: {0}")]
    Genesis(String),
    /// A port is not available.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// The error reported by the system.
        source: std::io::Error,
    },
    /// The folder or database cannot be used.
    #[error("cannot store the chain: {0}")]
    Store(String),
    /// The stored chain is another one, or was modified.
    #[error("the stored chain cannot be replayed: {0}")]
    Replay(String),
}

/// Why a block or transaction is invalid: the node's reason string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("prev-blk-not-found")]
    UnknownPrevious,
    #[error("proposal was not based on our best chain")]
    NotOnTip,
    #[error("bad-header-height")]
    Height,
    #[error("bad-cb-height")]
    CoinbaseHeight,
    #[error("time-too-old")]
    TooOld,
    #[error("time-too-new")]
    TooNew,
    #[error("block-proof-invalid")]
    Proof,
    #[error("bad-diffbits")]
    Challenge,
    #[error("invalid-dyna-fed")]
    Dynafed,
    #[error("bad-txnmrklroot")]
    MerkleRoot,
    #[error("bad-witness-merkle-match")]
    WitnessCommitment,
    #[error("bad-cb-missing")]
    Coinbase,
    #[error("bad-txns: {0}")]
    Undecodable(String),
    #[error("bad-txns-inputs-missingorspent: {0}")]
    MissingInput(OutPoint),
    #[error("bad-txns-inputs-duplicate")]
    DuplicateInput,
    #[error("bad-txns-in-ne-out")]
    Unbalanced,
    #[error("bad-txns-vin-empty")]
    Empty,
    #[error("bad-txns-confidential: the devnet's coinbases and issuances are explicit")]
    Confidential,
    #[error("bad-txns-in-ne-out, value-in differs from value-out, or a proof is wrong: {0}")]
    Proofs(String),
    #[error("non-final")]
    NotFinal,
    #[error("bad-txns-issuance: {0}")]
    Issuance(&'static str),
    #[error("mandatory-script-verify-flag-failed")]
    Script,
    #[error("non-mandatory: the devnet does not know this kind of script")]
    UnknownScript,
}
