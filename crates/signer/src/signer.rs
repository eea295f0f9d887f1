//! The traits of what signs, one for each purpose.

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
}

impl SignerError {
    /// Wraps the error of a service or module that cannot be reached.
    pub fn unavailable(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
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
}

#[async_trait]
impl<S: Signer + ?Sized> Signer for Box<S> {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        (**self).sign_block(hash).await
    }
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
}

#[async_trait]
impl<S: IdentitySigner + ?Sized> IdentitySigner for Box<S> {
    fn public_key(&self) -> XOnlyPublicKey {
        (**self).public_key()
    }

    async fn sign_envelope(&self, digest: [u8; 32]) -> Result<[u8; 64], SignerError> {
        (**self).sign_envelope(digest).await
    }
}
