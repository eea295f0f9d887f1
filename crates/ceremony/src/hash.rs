//! The hashes of a ceremony: 32 bytes, each kind with its own tag.

use core::{fmt, str::FromStr};

use bitcoin::hashes::{Hash, sha256};
use federation_chain::TaggedHash;
use hex_conservative::{DisplayHex, FromHex};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The error for text that is not a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct ParseDigestError;

/// A hash that identifies part of a ceremony, displayed as 64 hexadecimal digits in byte order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Creates a digest from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, in display order.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The tagged hash of BIP 340 over parts of fixed length, except the last, which may have any
    /// length.
    pub(crate) fn tagged(tag: &str, parts: &[&[u8]]) -> Self {
        let mut hash = TaggedHash::new(tag.as_bytes());
        for part in parts {
            hash.input(part);
        }
        Self(hash.finish())
    }
}

/// SHA-256, as `sha256sum` prints it.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest(sha256::Hash::hash(bytes).to_byte_array())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hex(), f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        <[u8; 32]>::from_hex(text)
            .map(Self)
            .map_err(|_| ParseDigestError)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
