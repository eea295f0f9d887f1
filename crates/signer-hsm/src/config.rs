//! Which key of which token, and how its calls are made.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use federation_signer::{KeySelector, TokenSelector};
use secp256k1::PublicKey;

use crate::Pin;

/// Which key of which token, and how its calls are made.
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
    /// Most sessions that one key may hold.
    pub const MAX_SESSIONS: usize = 64;

    /// Most calls of one key that may hang at a time. Each is replaced by a thread and a session of
    /// its own; with this many, the key has ended ([`HsmError::Hangs`](crate::HsmError::Hangs)).
    pub const MAX_HANGING: usize = 8;

    /// How long a signature, or the opening of a key, may take where nothing else is set.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// This key of this token: two sessions, a queue of 64 and a time-out of ten seconds.
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

    /// Sets how many sessions sign at once, from 1 to [`Self::MAX_SESSIONS`].
    #[must_use]
    pub fn with_sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions.clamp(1, Self::MAX_SESSIONS);
        self
    }

    /// Sets how many signatures may wait for a session, at least 1.
    #[must_use]
    pub fn with_queue(mut self, queue: usize) -> Self {
        self.queue = queue.max(1);
        self
    }

    /// Says which key it must be. It is taken where the token holds no public half, and a signature
    /// then proves it; without it the public half is computed from two signatures.
    #[must_use]
    pub const fn with_public_key(mut self, key: PublicKey) -> Self {
        self.expected = Some(key);
        self
    }

    /// Sets how long a signature, or the opening of the key, may take. Where a PIN is typed on the
    /// token's own pad it may take two minutes at least.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}
