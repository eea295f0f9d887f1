//! The two kinds of signatures that pass through the machine, distinct so that they cannot be mixed
//! up.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Serialises 64 bytes as two arrays of 32, which serde supports; the encoding is just the 64
/// bytes.
fn serialize<S: Serializer>(bytes: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
    let (left, right) = bytes.split_at(32);
    let halves: ([u8; 32], [u8; 32]) = (
        left.try_into().map_err(serde::ser::Error::custom)?,
        right.try_into().map_err(serde::ser::Error::custom)?,
    );
    halves.serialize(serializer)
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
    let (left, right) = <([u8; 32], [u8; 32])>::deserialize(deserializer)?;
    [left, right]
        .concat()
        .try_into()
        .map_err(|_| de::Error::custom("expected 64 bytes"))
}

/// The first four bytes are enough to tell signatures apart in a trace.
macro_rules! fmt_short {
    () => {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for byte in &self.0[..4] {
                write!(f, "{byte:02x}")?;
            }
            f.write_str("..")
        }
    };
}

macro_rules! signature {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(
            #[serde(serialize_with = "serialize", deserialize_with = "deserialize")] [u8; 64],
        );

        impl $name {
            /// Creates a signature from its 64 bytes, without checking it.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 64]) -> Self {
                Self(bytes)
            }

            /// Returns the 64 bytes.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 64] {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fmt_short!();
        }
    };
}

signature! {
    /// An operator's BIP340 signature, by its identity key, over the envelope of a message.
    ///
    /// The driver verifies it before the machine sees it; the machine keeps it for certificates and
    /// evidence.
    IdentitySignature
}

signature! {
    /// An operator's ECDSA signature, by its block key, over a block hash: `r` and `s`, 32 bytes
    /// each, big endian.
    ///
    /// The driver verifies it before the machine sees it.
    CompactSignature
}
