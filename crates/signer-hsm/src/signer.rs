//! The signers of a key in a module, by its role.

use async_trait::async_trait;
use federation_chain::BlockHash;
use federation_signer::{Signer, SignerError, SpendSigner};
use secp256k1::{PublicKey, ecdsa};

use crate::HsmKey;

/// A block key in a module. Wrap it in a `GuardedSigner`.
#[derive(Debug)]
pub struct HsmSigner(HsmKey);

impl HsmSigner {
    /// Creates a signer with this key.
    #[must_use]
    pub const fn new(key: HsmKey) -> Self {
        Self(key)
    }
}

#[async_trait]
impl Signer for HsmSigner {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        Ok(self.0.sign(hash.to_bytes()).await?)
    }
}

/// A reissuance or peg key in a module.
#[derive(Debug)]
pub struct HsmSpender(HsmKey);

impl HsmSpender {
    /// Creates a spend signer with this key. Not for block keys, which belong behind a guard.
    #[must_use]
    pub const fn new(key: HsmKey) -> Self {
        Self(key)
    }
}

#[async_trait]
impl SpendSigner for HsmSpender {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    async fn sign_spend(&self, sighash: [u8; 32]) -> Result<ecdsa::Signature, SignerError> {
        Ok(self.0.sign(sighash).await?)
    }
}
