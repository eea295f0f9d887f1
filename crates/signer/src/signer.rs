//! The traits of what signs, one for each purpose.
//!
//! Whoever asks may give a call up and drop its future, as an operator does after a time-out, and ask
//! again, while others are under way. A call that waits for a device or a service does so without
//! blocking its thread.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use federation_chain::BlockHash;
use secp256k1::{PublicKey, XOnlyPublicKey, ecdsa};

/// Why a key did not sign.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The key cannot be reached now: a service is down, a module is locked. May pass.
    #[error("the signer cannot be reached")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// The signer has its own rules and said no.
    #[error("the signer refused: {reason}")]
    Refused {
        /// What the signer said.
        reason: String,
    },
    /// The signer will not sign again in this process, whatever comes: too many of its calls hang,
    /// or what did its work is gone. Whoever runs it should end, say so, and be started again.
    #[error("the signer has ended, and only a new start may help")]
    Ended(#[source] Arc<dyn Error + Send + Sync>),
}

impl SignerError {
    /// Wraps the error of a service or module that cannot be reached.
    pub fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
    }

    /// Wraps the error of a service or module after which this process can sign no more.
    pub fn ended(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Ended(Arc::new(source))
    }
}

/// Holds one operator's block key and signs block hashes with it.
///
/// Implement it for a key of your own kind, and run [`contract::signer`](crate::contract::signer)
/// on it. Never call it: give it to a [`GuardedSigner`](crate::GuardedSigner).
#[async_trait]
pub trait Signer: Send + Sync {
    /// The key's public half, as it stands in the federation's script. Never changes.
    fn public_key(&self) -> PublicKey;

    /// Signs a block's hash by ECDSA over its 32 bytes in wire order, not hashed again.
    ///
    /// Low S is wanted; the guard makes it so if it is not.
    ///
    /// # Errors
    /// If the key cannot be reached or its keeper refuses.
    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError>;

    /// Signs a block's hash, given the unsigned block too, for a keeper that wants to see it: a
    /// node's wallet, a module that checks. Who gives the block has checked that the hash is its.
    ///
    /// # Errors
    /// If the key cannot be reached or its keeper refuses.
    async fn sign_full_block(
        &self,
        hash: BlockHash,
        block: &[u8],
    ) -> Result<ecdsa::Signature, SignerError> {
        // Most keys are content with the hash.
        let _ = block;
        self.sign_block(hash).await
    }
}

/// Holds a key that spends coins of the federation, reissuance tokens or the coins that back the
/// peg, and signs their transactions with it. Never a block key.
#[async_trait]
pub trait SpendSigner: Send + Sync {
    /// The key's public half, as it stands in the script of the coins. Never changes.
    fn public_key(&self) -> PublicKey;

    /// Signs a transaction's signature hash by ECDSA over its 32 bytes, with low S.
    ///
    /// # Errors
    /// If the key cannot be reached or its keeper refuses.
    async fn sign_spend(&self, sighash: [u8; 32]) -> Result<ecdsa::Signature, SignerError>;
}

/// Holds one operator's identity key and signs envelopes with it.
///
/// The identity key is not the block key: it speaks for the operator, it never signs a block.
#[async_trait]
pub trait IdentitySigner: Send + Sync {
    /// The key's public half, as it stands in the roster. Never changes.
    fn public_key(&self) -> XOnlyPublicKey;

    /// Signs an envelope's tagged hash by BIP 340.
    ///
    /// # Errors
    /// If the key cannot be reached or its keeper refuses.
    async fn sign_envelope(&self, digest: [u8; 32]) -> Result<[u8; 64], SignerError>;

    /// Whether it signs from memory, waits for nothing and cannot hang, so that nobody needs to guard
    /// against that. No unless it is implemented.
    fn signs_at_once(&self) -> bool {
        false
    }
}

/// What a pointer to a signer is: the same signer, with what it makes of each method itself.
macro_rules! pointers {
    ($($pointer:ident),+) => {$(
        #[async_trait]
        impl<S: Signer + ?Sized> Signer for $pointer<S> {
            fn public_key(&self) -> PublicKey {
                (**self).public_key()
            }

            async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
                (**self).sign_block(hash).await
            }

            async fn sign_full_block(
                &self,
                hash: BlockHash,
                block: &[u8],
            ) -> Result<ecdsa::Signature, SignerError> {
                (**self).sign_full_block(hash, block).await
            }
        }

        #[async_trait]
        impl<S: SpendSigner + ?Sized> SpendSigner for $pointer<S> {
            fn public_key(&self) -> PublicKey {
                (**self).public_key()
            }

            async fn sign_spend(&self, sighash: [u8; 32]) -> Result<ecdsa::Signature, SignerError> {
                (**self).sign_spend(sighash).await
            }
        }

        #[async_trait]
        impl<S: IdentitySigner + ?Sized> IdentitySigner for $pointer<S> {
            fn public_key(&self) -> XOnlyPublicKey {
                (**self).public_key()
            }

            async fn sign_envelope(&self, digest: [u8; 32]) -> Result<[u8; 64], SignerError> {
                (**self).sign_envelope(digest).await
            }

            fn signs_at_once(&self) -> bool {
                (**self).signs_at_once()
            }
        }
    )+};
}

pointers!(Box, Arc);
