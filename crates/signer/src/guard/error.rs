//! Why the guard gave no signature.

use federation_chain::{BlockHash, BlockHeight};
use secp256k1::PublicKey;

use super::GuardStoreError;
use crate::SignerError;

/// Why the guard gave no signature.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Another block was signed at this height. It will never be this one.
    #[error("block {signed} was signed at height {height}, so {asked} will not be")]
    Conflict {
        /// The height of both.
        height: BlockHeight,
        /// What is on record.
        signed: BlockHash,
        /// What was asked for.
        asked: BlockHash,
    },
    /// The height is decided already.
    #[error("height {height} is not above {highest_final}, the highest that is final")]
    BelowFinal {
        /// What was asked for.
        height: BlockHeight,
        /// The highest height known to be final.
        highest_final: BlockHeight,
    },
    /// The record could not be read or made durable, so there is no signature.
    #[error("the guard's store failed, so nothing was signed")]
    Store(#[from] GuardStoreError),
    /// The key did not sign. The height is on record: only the same block can be asked for again.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// What the signer returned does not verify.
    #[error("the signer's signature of block {hash} does not verify with its key {public_key}")]
    BadSignature {
        /// The block that was to be signed.
        hash: BlockHash,
        /// The key the signer gave at the start.
        public_key: PublicKey,
    },
}

impl GuardError {
    /// Whether asking again for the same block may help: the key or the store was out of reach.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Store(GuardStoreError::Backend(_)) | Self::Signer(SignerError::Unavailable(_))
        )
    }

    /// Whether no block will be signed any more by this process, so that it should end.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Signer(SignerError::Ended(_)))
    }
}
