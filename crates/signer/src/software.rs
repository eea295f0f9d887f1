//! Signers that hold their key in memory.

use core::fmt;

use async_trait::async_trait;
use federation_chain::BlockHash;
use secp256k1::{Keypair, Message, PublicKey, SECP256K1, XOnlyPublicKey, ecdsa};

use crate::{IdentitySigner, Secret, Signer, SignerError, SpendSigner};

/// A block key in memory.
///
/// Signatures are deterministic (RFC 6979).
#[derive(Debug)]
pub struct SoftwareSigner {
    secret: Secret,
    public_key: PublicKey,
}

impl SoftwareSigner {
    /// Creates a signer with this key.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            public_key: secret.public_key(),
            secret,
        }
    }
}

#[async_trait]
impl Signer for SoftwareSigner {
    fn public_key(&self) -> PublicKey {
        self.public_key
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        let message = Message::from_digest(hash.to_bytes());
        Ok(SECP256K1.sign_ecdsa(&message, self.secret.key()))
    }
}

/// A reissuance or peg key in memory. Not for block keys, which belong behind a guard.
#[derive(Debug)]
pub struct SoftwareSpender {
    secret: Secret,
    public_key: PublicKey,
}

impl SoftwareSpender {
    /// Creates a spend signer with this key.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            public_key: secret.public_key(),
            secret,
        }
    }
}

#[async_trait]
impl SpendSigner for SoftwareSpender {
    fn public_key(&self) -> PublicKey {
        self.public_key
    }

    async fn sign_spend(&self, sighash: [u8; 32]) -> Result<ecdsa::Signature, SignerError> {
        Ok(SECP256K1.sign_ecdsa(&Message::from_digest(sighash), self.secret.key()))
    }
}

/// An identity key in memory.
///
/// It signs by BIP 340 without auxiliary randomness, so an operator that repeats a message after a
/// restart repeats it byte for byte.
pub struct SoftwareIdentity {
    keypair: Box<Erased>,
    public_key: XOnlyPublicKey,
}

/// Zeroes the key pair when the box is dropped; `Keypair` itself does not.
struct Erased(Keypair);

impl Drop for Erased {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl fmt::Debug for SoftwareIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareIdentity")
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

impl SoftwareIdentity {
    /// Creates an identity with this key.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the secret is dropped and zeroed here"
    )]
    pub fn new(secret: Secret) -> Self {
        let mut keypair = secret.keypair();
        let identity = Self {
            public_key: secret.x_only_public_key(),
            keypair: Box::new(Erased(keypair)),
        };
        keypair.non_secure_erase();
        identity
    }
}

#[async_trait]
impl IdentitySigner for SoftwareIdentity {
    fn public_key(&self) -> XOnlyPublicKey {
        self.public_key
    }

    async fn sign_envelope(&self, digest: [u8; 32]) -> Result<[u8; 64], SignerError> {
        let message = Message::from_digest(digest);
        let signature = SECP256K1.sign_schnorr_no_aux_rand(&message, &self.keypair.0);
        Ok(signature.serialize())
    }

    fn signs_at_once(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    #[tokio::test]
    async fn all_pass_the_contract() {
        contract::signer(&SoftwareSigner::new(Secret::generate())).await;
        contract::identity_signer(&SoftwareIdentity::new(Secret::generate())).await;
        contract::spend_signer(&SoftwareSpender::new(Secret::generate())).await;
    }

    #[tokio::test]
    async fn the_same_hash_gives_the_same_signature() {
        let signer = SoftwareSigner::new(Secret::generate());
        let hash = BlockHash::from_bytes([3; 32]);
        let first = signer.sign_block(hash).await.expect("a key in memory");
        assert_eq!(signer.sign_block(hash).await.expect("again"), first);
        let identity = SoftwareIdentity::new(Secret::generate());
        let first = identity.sign_envelope([3; 32]).await.expect("in memory");
        assert_eq!(identity.sign_envelope([3; 32]).await.expect("again"), first);
    }

    #[test]
    fn debug_output_contains_no_secret() {
        let secret = || Secret::from_hex(&"c0ffee11".repeat(8)).expect("a key");
        let hex = secret().to_hex();
        let shown = [
            format!("{:?}", secret()),
            format!("{:#?}", SoftwareSigner::new(secret())),
            format!("{:#?}", SoftwareIdentity::new(secret())),
        ];
        for shown in shown {
            assert!(!shown.to_lowercase().contains(&hex[..8]), "{shown}");
            // The bytes as a list of numbers: 0xc0, 0xff.
            assert!(!shown.contains("192, 255"), "{shown}");
        }
    }
}
