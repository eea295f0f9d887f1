//! Why the guard did not sign.

use federation_chain::{BlockHash, BlockHeight};
use secp256k1::PublicKey;

use super::GuardStoreError;
use crate::SignerError;

/// Why the guard did not sign.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Another block was signed at this height. This one never will be.
    #[error("block {signed} was signed at height {height}, so {asked} is refused")]
    Conflict {
        /// The height of both.
        height: BlockHeight,
        /// The block on record.
        signed: BlockHash,
        /// The block requested.
        asked: BlockHash,
    },
    /// The height is final already.
    #[error("height {height} is not above the highest final height, {highest_final}")]
    BelowFinal {
        /// The height requested.
        height: BlockHeight,
        /// The highest height known to be final.
        highest_final: BlockHeight,
    },
    /// The record could not be read or made durable, so nothing was signed.
    #[error("the guard's store failed, so nothing was signed")]
    Store(#[from] GuardStoreError),
    /// The key did not sign. The height is on record: only the same block can be requested again.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The signer's signature does not verify.
    #[error("the signer's signature of block {hash} does not verify with its key {public_key}")]
    BadSignature {
        /// The block to be signed.
        hash: BlockHash,
        /// The signer's key, as reported at the start.
        public_key: PublicKey,
    },
}

impl GuardError {
    /// Returns whether a retry for the same block may help: the key or the store was unreachable.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Store(GuardStoreError::Backend(_)) | Self::Signer(SignerError::Unavailable(_))
        )
    }

    /// Returns whether this process cannot sign any block any more, so that it should end.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Signer(SignerError::Ended(_)))
    }
}
