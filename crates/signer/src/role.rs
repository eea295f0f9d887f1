//! The roles of keys.

use core::{fmt, str::FromStr};

/// The role of a key. An operator has a separate key for each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyRole {
    /// Signs blocks; listed in the chain's `signblockscript`.
    Block,
    /// Signs envelopes; listed in the roster.
    Identity,
    /// Spends reissuance tokens.
    Reissuance,
    /// Spends the coins that back the peg.
    Peg,
}

/// A string that is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role `{0}`: expected block, identity, reissuance or peg")]
pub struct ParseRoleError(String);

impl KeyRole {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Block, Self::Identity, Self::Reissuance, Self::Peg];

    /// Returns its name in files and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Identity => "identity",
            Self::Reissuance => "reissuance",
            Self::Peg => "peg",
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyRole {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| ParseRoleError(text.chars().take(32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_round_trips() {
        for role in KeyRole::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("Block".parse::<KeyRole>().is_err());
    }
}
