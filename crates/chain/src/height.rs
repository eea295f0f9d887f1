//! The height of a block.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The number of blocks below a block; the genesis block has height 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BlockHeight(u32);

impl BlockHeight {
    /// The height of the genesis block.
    pub const GENESIS: Self = Self(0);

    /// Creates a height from its number.
    #[must_use]
    pub const fn new(height: u32) -> Self {
        Self(height)
    }

    /// Returns the height as a number.
    #[must_use]
    pub const fn to_u32(self) -> u32 {
        self.0
    }

    /// Returns the next height; saturates at the largest height a header can hold.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the previous height, or `None` for the genesis block.
    #[must_use]
    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(height) => Some(Self(height)),
            None => None,
        }
    }
}

impl fmt::Display for BlockHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
