//! A key in a module.

use core::fmt;
use std::sync::Arc;

use secp256k1::{PublicKey, ecdsa};
use tokio::sync::oneshot;

use crate::{
    HsmConfig, HsmError,
    key_session::{CallLimit, KeySession, Shared},
    module::Module,
    pool::{self, Pool},
    proof, signature,
};

/// A key in a module, opened and logged in.
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
    /// Loads the module, finds token and key, logs in, and tests the key. Requires a tokio runtime
    /// with time enabled.
    ///
    /// # Errors
    /// See [`HsmError`]; [`HsmError::Opening`] names the call from which the module does not
    /// return.
    pub async fn open(config: HsmConfig) -> Result<Self, HsmError> {
        let call_limit = Arc::new(CallLimit::new(config.timeout));
        let (answer, waiting) = oneshot::channel();
        let opening = call_limit.clone();
        pool::spawn(move || {
            // The receiver is gone if it took too long.
            let _ = answer.send(open(config, opening));
        })?;
        let named = |error| match error {
            HsmError::Timeout(_) => call_limit.opening_error(),
            other => other,
        };
        let key = pool::within(&call_limit, waiting).await.map_err(named)?;
        call_limit.begin("C_Sign");
        key.prove().await.map_err(named)?;
        Ok(key)
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Tests that private and public key belong together, with a signature that has no other use.
    ///
    /// # Errors
    /// [`HsmError::BadSignature`] if they do not; otherwise the reason why the key did not sign.
    pub async fn prove(&self) -> Result<(), HsmError> {
        self.sign(proof::fresh_digest(&self.public_key))
            .await
            .map(drop)
    }

    /// Signs a digest. Only for callers that know what it is a digest of.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<ecdsa::Signature, HsmError> {
        let bytes = self.pool.sign(digest).await?;
        signature::verified(&bytes, &digest, &self.public_key).ok_or(HsmError::BadSignature)
    }
}

fn open(config: HsmConfig, call_limit: Arc<CallLimit>) -> Result<HsmKey, HsmError> {
    let module = Module::load(&config.module)?;
    let shared = Arc::new(Shared::new(
        module,
        config.token,
        config.key,
        config.pin,
        config.expected,
        call_limit,
    ));
    let mut first = KeySession::new(shared.clone(), None);
    let public_key = first.public_key()?;
    let mut sessions = vec![first];
    while sessions.len() < config.sessions {
        let mut next = KeySession::new(shared.clone(), Some(public_key));
        // Opened now, so that a token that allows fewer sessions is noticed.
        next.public_key()?;
        sessions.push(next);
    }
    let pool = Pool::start(sessions, shared, public_key, config.queue)?;
    Ok(HsmKey { pool, public_key })
}
