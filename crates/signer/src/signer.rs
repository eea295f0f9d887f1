//! The traits for signing, one for each purpose.
//!
//! Callers may drop the future of a call, as an operator does after a timeout, and call again while
//! others are in progress. A call that waits for a device or a service must not block its thread.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use federation_chain::BlockHash;
use secp256k1::{PublicKey, XOnlyPublicKey, ecdsa};

/// Why a key did not sign.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The key cannot be reached now: a service is down, a module is locked. This may pass.
    #[error("the signer cannot be reached")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// The signer refused by its own rules.
    #[error("the signer refused: {reason}")]
    Refused {
        /// The signer's reason.
        reason: String,
    },
    /// The signer will not sign again in this process: too many of its calls hang, or the component
    /// that does its work is gone. The program should report this, exit, and be restarted.
    #[error("the signer has failed permanently: a restart may help")]
    Ended(#[source] Arc<dyn Error + Send + Sync>),
}

impl SignerError {
    /// Wraps the error of a service or module that cannot be reached.
    pub fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
    }

    /// Wraps the error of a service or module after which this process cannot sign any more.
    pub fn ended(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Ended(Arc::new(source))
    }
}

/// Holds one operator's block key and signs block hashes with it.
///
/// Implement it for a custom kind of key, and test it with
/// [`contract::signer`](crate::contract::signer). Never call it directly: wrap it in a
/// [`GuardedSigner`](crate::GuardedSigner).
#[async_trait]
pub trait Signer: Send + Sync {
    /// Returns the public key, as listed in the federation's script. Never changes.
    fn public_key(&self) -> PublicKey;

    /// Signs a block's hash by ECDSA over its 32 bytes in wire order, not hashed again.
    ///
    /// Low S is preferred; otherwise the guard normalises it.
    ///
    /// # Errors
    /// If the key cannot be reached or its holder refuses.
    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError>;

    /// Signs a block's hash, with the unsigned block for a key holder that needs it: a node's
    /// wallet, a module that checks. The caller has checked that the hash is that of the block.
    ///
    /// # Errors
    /// If the key cannot be reached or its holder refuses.
    async fn sign_full_block(
        &self,
        hash: BlockHash,
        block: &[u8],
    ) -> Result<ecdsa::Signature, SignerError> {
        // Most keys need only the hash.
        let _ = block;
        self.sign_block(hash).await
    }
}

/// Holds a key that spends coins of the federation, reissuance tokens or the coins that back the
/// peg, and signs transactions with it. Never a block key.
#[async_trait]
pub trait SpendSigner: Send + Sync {
    /// Returns the public key, as listed in the script of the coins. Never changes.
    fn public_key(&self) -> PublicKey;

    /// Signs a transaction's signature hash by ECDSA over its 32 bytes, with low S.
    ///
    /// # Errors
    /// If the key cannot be reached or its holder refuses.
    async fn sign_spend(&self, sighash: [u8; 32]) -> Result<ecdsa::Signature, SignerError>;
}

/// Holds one operator's identity key and signs envelopes with it.
///
/// The identity key is not the block key: it authenticates the operator and never signs a block.
#[async_trait]
pub trait IdentitySigner: Send + Sync {
    /// Returns the public key, as listed in the roster. Never changes.
    fn public_key(&self) -> XOnlyPublicKey;

    /// Signs an envelope's tagged hash by BIP 340.
    ///
    /// # Errors
    /// If the key cannot be reached or its holder refuses.
    async fn sign_envelope(&self, digest: [u8; 32]) -> Result<[u8; 64], SignerError>;

    /// Returns whether it signs from memory, without waiting, and cannot hang, so that callers need
    /// no precautions against that. `false` by default.
    fn signs_at_once(&self) -> bool {
        false
    }
}

/// Pointers to a signer delegate every method, including those with a default.
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
