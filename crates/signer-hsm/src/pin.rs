//! A PIN in memory, or entered at the token itself.

use core::fmt;
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
};

use cryptoki::types::AuthPin;
use federation_signer::{SecretSource, SecretSourceError, TokenSelector};
use zeroize::Zeroizing;

use crate::{HsmConfig, HsmError, admin, key_session::CallLimit, module::Module, pool};

/// A PIN. Zeroed when dropped, never shown.
#[derive(Clone)]
pub struct Pin {
    /// `None` if it is entered on the token's own pad.
    auth: Option<AuthPin>,
    /// The length in bytes, as tokens count it.
    len: usize,
}

/// Queries whether a token has a pad, with a timeout, because the module may hang.
fn query_pin_pad(module: &Path, token: &TokenSelector) -> Result<bool, HsmError> {
    let call_limit = Arc::new(CallLimit::new(HsmConfig::TIMEOUT));
    let (answer, waiting) = mpsc::channel();
    let (module, token, asking) = (module.to_owned(), token.clone(), call_limit.clone());
    pool::spawn(move || {
        let has_pad = Module::load(&module).and_then(|_| {
            asking.begin("C_GetTokenInfo");
            admin::has_pin_pad(&module, &token)
        });
        // The receiver is gone if it took too long.
        let _ = answer.send(has_pad);
    })?;
    match waiting.recv_timeout(call_limit.limit()) {
        Ok(has_pad) => has_pad,
        Err(RecvTimeoutError::Timeout) => Err(call_limit.opening_error()),
        Err(RecvTimeoutError::Disconnected) => Err(HsmError::Stopped),
    }
}

/// Why a PIN could not be obtained.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// Its source failed.
    #[error(transparent)]
    Source(#[from] SecretSourceError),
    /// The module failed when asked whether the token has a PIN pad.
    #[error(transparent)]
    Module(#[from] HsmError),
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(redacted)")
    }
}

impl From<Zeroizing<String>> for Pin {
    fn from(text: Zeroizing<String>) -> Self {
        Self {
            len: text.len(),
            auth: Some(AuthPin::from(text.as_str())),
        }
    }
}

impl Pin {
    /// Creates a PIN unknown to this process: it is entered on the token's own pad.
    #[must_use]
    pub const fn at_pad() -> Self {
        Self { auth: None, len: 0 }
    }

    /// Returns whether it is entered on the token's own pad.
    #[must_use]
    pub const fn is_at_pad(&self) -> bool {
        self.auth.is_none()
    }

    /// Reads the user PIN of a token from its source. If the source is a prompt and the token has
    /// its own PIN pad, the terminal is not used. `what` describes the PIN in the prompt.
    ///
    /// # Errors
    /// If the source fails, the token is not found, or the module does not return within the
    /// default timeout of an [`HsmConfig`](crate::HsmConfig).
    pub fn read(
        source: &SecretSource,
        what: &str,
        module: &Path,
        token: &TokenSelector,
    ) -> Result<Self, PinError> {
        if *source == SecretSource::Prompt && query_pin_pad(module, token)? {
            return Ok(Self::at_pad());
        }
        Ok(source.read(what)?.into())
    }

    /// Returns its length in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// `None` if it is entered on the token's own pad.
    pub(crate) const fn as_auth(&self) -> Option<&AuthPin> {
        self.auth.as_ref()
    }
}
