//! A PIN in memory, or typed at the token itself.

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

use crate::{HsmConfig, HsmError, admin, key_session::Patience, module::Module, pool};

/// A PIN. Zeroed when dropped, never shown.
#[derive(Clone)]
pub struct Pin {
    /// None if it is typed on the token's own pad.
    auth: Option<AuthPin>,
    /// In bytes, as tokens count.
    len: usize,
}

/// Asks a module, which may hang, whether a token has a pad.
fn asked_for_pad(module: &Path, token: &TokenSelector) -> Result<bool, HsmError> {
    let patience = Arc::new(Patience::new(HsmConfig::TIMEOUT));
    let (answer, waiting) = mpsc::channel();
    let (module, token, asking) = (module.to_owned(), token.clone(), patience.clone());
    pool::spawn(move || {
        let has_pad = Module::load(&module).and_then(|_| {
            asking.begins("C_GetTokenInfo");
            admin::has_pin_pad(&module, &token)
        });
        // Nobody waits any more if it took too long.
        let _ = answer.send(has_pad);
    })?;
    match waiting.recv_timeout(patience.limit()) {
        Ok(has_pad) => has_pad,
        Err(RecvTimeoutError::Timeout) => Err(patience.opening()),
        Err(RecvTimeoutError::Disconnected) => Err(HsmError::Stopped),
    }
}

/// Why a PIN could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// Its source does not give it.
    #[error(transparent)]
    Source(#[from] SecretSourceError),
    /// The token does not tell whether it has a PIN pad.
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
    /// No PIN that this process knows: it is typed on the token's own pad.
    #[must_use]
    pub const fn at_pad() -> Self {
        Self { auth: None, len: 0 }
    }

    /// Whether it is typed on the token's own pad.
    #[must_use]
    pub const fn is_at_pad(&self) -> bool {
        self.auth.is_none()
    }

    /// The user PIN of a token from its source. What is to be typed at the terminal is not asked
    /// for there if the token has a PIN pad of its own. `what` says in the prompt what is wanted.
    ///
    /// # Errors
    /// If the source does not give it, or the token is not found, or the module does not come back
    /// within the time-out of an [`HsmConfig`](crate::HsmConfig) that sets none.
    pub fn read(
        source: &SecretSource,
        what: &str,
        module: &Path,
        token: &TokenSelector,
    ) -> Result<Self, PinError> {
        if *source == SecretSource::Prompt && asked_for_pad(module, token)? {
            return Ok(Self::at_pad());
        }
        Ok(source.read(what)?.into())
    }

    /// Its length in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// None if it is typed on the token's own pad.
    pub(crate) const fn as_auth(&self) -> Option<&AuthPin> {
        self.auth.as_ref()
    }
}
