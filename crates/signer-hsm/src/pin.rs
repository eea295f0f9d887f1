//! A PIN in memory.

use core::fmt;

use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

/// A PIN. Zeroed when dropped, never shown.
#[derive(Clone)]
pub struct Pin {
    auth: AuthPin,
    /// In bytes, as tokens count.
    len: usize,
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
            auth: AuthPin::from(text.as_str()),
        }
    }
}

impl Pin {
    /// Its length in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn as_auth(&self) -> &AuthPin {
        &self.auth
    }
}
