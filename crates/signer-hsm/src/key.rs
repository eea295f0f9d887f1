//! A key in a module.

use core::fmt;
use std::sync::Arc;

use secp256k1::{PublicKey, ecdsa};
use tokio::sync::oneshot;

use crate::{
    HsmConfig, HsmError,
    key_session::{KeySession, Patience, Shared},
    module::Module,
    pool::{self, Pool},
    proof, signature,
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
    /// See [`HsmError`]; [`HsmError::Opening`] names the call that the module does not come back from.
    pub async fn open(config: HsmConfig) -> Result<Self, HsmError> {
        let patience = Arc::new(Patience::new(config.timeout));
        let (answer, waiting) = oneshot::channel();
        let opening = patience.clone();
        pool::spawn(move || {
            // Nobody waits any more if it took too long.
            let _ = answer.send(open(config, opening));
        })?;
        let named = |error| match error {
            HsmError::Timeout(_) => patience.opening(),
            other => other,
        };
        let key = pool::within(&patience, waiting).await.map_err(named)?;
        patience.begins("C_Sign");
        key.prove().await.map_err(named)?;
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
        self.sign(proof::fresh_digest(&self.public_key))
            .await
            .map(drop)
    }

    /// Signs a digest. Only for callers that say what it is of.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<ecdsa::Signature, HsmError> {
        let bytes = self.pool.sign(digest).await?;
        signature::verified(&bytes, &digest, &self.public_key).ok_or(HsmError::BadSignature)
    }
}

fn open(config: HsmConfig, patience: Arc<Patience>) -> Result<HsmKey, HsmError> {
    let module = Module::load(&config.module)?;
    let shared = Arc::new(Shared::new(
        module,
        config.token,
        config.key,
        config.pin,
        config.expected,
        patience,
    ));
    let mut first = KeySession::new(shared.clone(), None);
    let public_key = first.public_key()?;
    let mut sessions = vec![first];
    while sessions.len() < config.sessions {
        let mut next = KeySession::new(shared.clone(), Some(public_key));
        // Now, so that a token that allows fewer is noticed.
        next.public_key()?;
        sessions.push(next);
    }
    let pool = Pool::start(sessions, shared, public_key, config.queue)?;
    Ok(HsmKey { pool, public_key })
}
