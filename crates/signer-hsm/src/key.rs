//! A key in a module.

use core::fmt;
use std::sync::Arc;

use secp256k1::{
    Message, PublicKey, SECP256K1, ecdsa,
    rand::{RngCore, rngs::OsRng},
};
use tokio::sync::oneshot;

use crate::{
    HsmConfig, HsmError, module::Module, pool, pool::Pool, proof_digest, session::KeySession,
    session::Shared,
};

/// A key in a module, open and logged in.
///
/// It signs through [`HsmSigner`](crate::HsmSigner) or [`HsmSpender`](crate::HsmSpender).
pub struct HsmKey {
    pool: Pool,
    public_key: PublicKey,
}

impl fmt::Debug for HsmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HsmKey")
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

impl HsmKey {
    /// Loads the module, finds token and key, logs in, and has the key prove itself. Needs a tokio
    /// runtime with a clock.
    ///
    /// # Errors
    /// See [`HsmError`].
    pub async fn open(config: HsmConfig) -> Result<Self, HsmError> {
        let timeout = config.timeout;
        let (answer, waiting) = oneshot::channel();
        pool::spawn(move || {
            // Nobody waits any more if it took too long.
            let _ = answer.send(open(config));
        })?;
        let key = pool::within(timeout, waiting).await?;
        key.prove().await?;
        Ok(key)
    }

    /// The key's public half.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Has the key prove that its halves belong together, by a signature that is good for nothing
    /// else.
    ///
    /// # Errors
    /// [`HsmError::BadSignature`] if they do not; else what kept the key from signing.
    pub async fn prove(&self) -> Result<(), HsmError> {
        let mut nonce = [0; 32];
        OsRng.fill_bytes(&mut nonce);
        self.sign(proof_digest(&self.public_key, &nonce))
            .await
            .map(drop)
    }

    /// Signs a digest. Only for callers that say what it is of.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<ecdsa::Signature, HsmError> {
        let signature = self.pool.sign(digest).await?;
        SECP256K1
            .verify_ecdsa(&Message::from_digest(digest), &signature, &self.public_key)
            .map_err(|_| HsmError::BadSignature)?;
        Ok(signature)
    }
}

fn open(config: HsmConfig) -> Result<HsmKey, HsmError> {
    let module = Module::load(&config.module)?;
    let shared = Arc::new(Shared::new(module, config.token, config.key, config.pin));
    let mut first = KeySession::new(shared.clone(), None);
    let public_key = first.public_key()?;
    let mut sessions = vec![first];
    while sessions.len() < config.sessions {
        let mut next = KeySession::new(shared.clone(), Some(public_key));
        // Now, so that a token that allows fewer is noticed.
        next.public_key()?;
        sessions.push(next);
    }
    let pool = Pool::start(sessions, config.queue, config.timeout)?;
    Ok(HsmKey { pool, public_key })
}
