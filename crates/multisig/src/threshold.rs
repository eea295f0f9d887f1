//! The number of signatures that a script demands.

use core::fmt;

use crate::MAX_KEYS;

/// M: how many of the N keys must sign, from 1 to 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u8);

/// The error for a number of signatures that no script can demand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("threshold {0} is out of range: use 1 to {MAX_KEYS}")]
pub struct ThresholdError(pub u64);

impl Threshold {
    /// Creates a threshold from its number.
    ///
    /// # Errors
    /// If the number is 0 or above 20, the most keys that CHECKMULTISIG takes.
    pub const fn new(threshold: u8) -> Result<Self, ThresholdError> {
        if threshold == 0 || threshold as usize > MAX_KEYS {
            return Err(ThresholdError(threshold as u64));
        }
        Ok(Self(threshold))
    }

    /// Returns the number of signatures.
    #[must_use]
    pub const fn to_u8(self) -> u8 {
        self.0
    }

    /// Returns the number of signatures as a `usize`.
    #[must_use]
    pub const fn to_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
