//! What can go wrong in a node, and how its RPC says it.

use elements::OutPoint;

/// A node that cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevNodeError {
    /// Its script or limit makes no chain.
    #[error(transparent)]
    Rules(#[from] federation_chain::RulesError),
    /// Its chain's name or coins are none that a node has.
    #[error("these settings make no genesis block: {0}")]
    Genesis(String),
    /// A port cannot be had.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its folder or database cannot be used.
    #[error("cannot keep the chain: {0}")]
    Store(String),
    /// What is kept is of another chain, or was altered.
    #[error("the kept chain cannot be replayed: {0}")]
    Replay(String),
}

/// Why a block or transaction is not valid: the node's reason string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("prev-blk-not-found")]
    UnknownPrevious,
    #[error("proposal was not based on our best chain")]
    NotOnTip,
    #[error("bad-cb-height")]
    Height,
    #[error("time-too-old")]
    TooOld,
    #[error("time-too-new")]
    TooNew,
    #[error("block-proof-invalid")]
    Proof,
    #[error("bad-signblock-challenge")]
    Challenge,
    #[error("invalid-dyna-fed")]
    Dynafed,
    #[error("bad-txnmrklroot")]
    Commitments,
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
