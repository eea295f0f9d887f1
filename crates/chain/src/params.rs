//! The root of a dynafed chain's parameters, which identifies them in full and compact form.

use core::{fmt, str::FromStr};

use hex_conservative::{DisplayHex, FromHex};

use crate::Params;

/// The Merkle root of dynafed parameters: the signers, their size limit, the fedpeg, and the
/// extension space. Compact parameters carry the root of the part they omit, so they have the same
/// root as the full parameters that they stand for.
///
/// Displayed and parsed in reverse, as in the nodes' RPC (`current_params_root`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamsRoot([u8; 32]);

impl ParamsRoot {
    /// Returns the root of these parameters; all zeros for null parameters.
    #[must_use]
    pub fn of(params: &Params) -> Self {
        Self(params.calculate_root().to_byte_array())
    }

    /// Creates a root from its bytes, in the order in which they are hashed.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ParamsRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reversed = self.0;
        reversed.reverse();
        write!(f, "{:x}", reversed.as_hex())
    }
}

impl fmt::Debug for ParamsRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParamsRoot({self})")
    }
}

/// A string that is not a parameters root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a parameters root: expected 64 hexadecimal digits")]
pub struct ParseParamsRootError(pub String);

impl FromStr for ParamsRoot {
    type Err = ParseParamsRootError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let mut bytes = <[u8; 32]>::from_hex(s).map_err(|_| ParseParamsRootError(s.to_owned()))?;
        bytes.reverse();
        Ok(Self(bytes))
    }
}
