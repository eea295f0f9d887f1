//! The selection of a key, and the limits for its calls.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use federation_signer::{KeySelector, TokenSelector};
use secp256k1::PublicKey;

use crate::Pin;

/// The selection of a key, and the limits for its calls.
#[derive(Debug, Clone)]
pub struct HsmConfig {
    pub(crate) module: PathBuf,
    pub(crate) token: TokenSelector,
    pub(crate) key: KeySelector,
    pub(crate) pin: Pin,
    pub(crate) sessions: usize,
    pub(crate) queue: usize,
    pub(crate) timeout: Duration,
    pub(crate) expected: Option<PublicKey>,
}

impl HsmConfig {
    /// The maximum number of sessions of one key.
    pub const MAX_SESSIONS: usize = 64;

    /// The maximum number of hanging calls of one key. Each is replaced by another thread and
    /// session; beyond this, the key is unusable ([`HsmError::Hangs`](crate::HsmError::Hangs)).
    pub const MAX_HANGING: usize = 8;

    /// The default timeout for a signature or the opening of a key.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// This key of this token, with two sessions, a queue of 64 and a timeout of ten seconds.
    pub fn new(
        module: impl AsRef<Path>,
        token: TokenSelector,
        key: KeySelector,
        pin: impl Into<Pin>,
    ) -> Self {
        Self {
            module: module.as_ref().to_owned(),
            token,
            key,
            pin: pin.into(),
            sessions: 2,
            queue: 64,
            timeout: Self::TIMEOUT,
            expected: None,
        }
    }

    /// Sets the number of concurrent sessions, from 1 to [`Self::MAX_SESSIONS`].
    #[must_use]
    pub fn with_sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions.clamp(1, Self::MAX_SESSIONS);
        self
    }

    /// Sets the number of signatures that may wait for a session, at least 1.
    #[must_use]
    pub fn with_queue(mut self, queue: usize) -> Self {
        self.queue = queue.max(1);
        self
    }

    /// Sets the expected public key. It is used if the token does not report one, and confirmed by
    /// a signature; otherwise the public key is computed from two signatures.
    #[must_use]
    pub const fn with_public_key(mut self, key: PublicKey) -> Self {
        self.expected = Some(key);
        self
    }

    /// Sets the timeout for a signature or the opening of the key. If a PIN is entered on the
    /// token's own pad, the timeout is at least two minutes.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}
