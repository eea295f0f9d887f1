//! The hash of a block, which in every dialect is also the hash that the federation signs.

use core::{fmt, str::FromStr};

use hex_conservative::{DisplayHex, FromHex};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// SHA256d of a header without its solution or signblock witness.
///
/// Stored in the order in which it is hashed and sent; displayed and parsed in reverse, as in the
/// nodes' RPC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Serialises as nodes display it in human-readable formats, and as its bytes in others.
impl Serialize for BlockHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for BlockHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            Deserialize::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_hash_as_nodes_display_it() {
        let mut bytes = [0; 32];
        bytes[31] = 0xab;
        let hash = BlockHash::from_bytes(bytes);
        let json = serde_json::to_string(&hash).expect("serialises");
        assert_eq!(json, format!("\"{hash}\""));
        assert_eq!(
            serde_json::from_str::<BlockHash>(&json).expect("parses"),
            hash
        );
        assert!(serde_json::from_str::<BlockHash>("\"ab\"").is_err());
    }

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
