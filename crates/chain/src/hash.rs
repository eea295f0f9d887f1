//! The hash of a block, which in every dialect is also the hash that the federation signs.

use core::{fmt, str::FromStr};

use hex_conservative::{DisplayHex, FromHex};
use serde::{Deserialize, Serialize};

/// SHA256d of a header without its solution or signblock witness.
///
/// Stored in the order in which it is hashed and sent; displayed and parsed in reverse, as in the
/// nodes' RPC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockHash([u8; 32]);

impl BlockHash {
    /// Creates a hash from its bytes in wire order.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes in wire order.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Returns a reference to the bytes in wire order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reversed = self.0;
        reversed.reverse();
        write!(f, "{:x}", reversed.as_hex())
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockHash({self})")
    }
}

/// A string that is not a block hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a block hash: expected 64 hexadecimal digits")]
pub struct ParseBlockHashError(pub String);

impl FromStr for BlockHash {
    type Err = ParseBlockHashError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let mut bytes = <[u8; 32]>::from_hex(s).map_err(|_| ParseBlockHashError(s.to_owned()))?;
        bytes.reverse();
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_reversed_and_parses_back() {
        let mut bytes = [0; 32];
        bytes[31] = 0xab;
        let hash = BlockHash::from_bytes(bytes);
        assert!(hash.to_string().starts_with("ab00"));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("ab".parse::<BlockHash>().is_err());
    }
}
