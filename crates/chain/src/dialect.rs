//! The three block formats.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The block format of a chain, which also determines how its blocks are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Ocean (Bitcoin 0.14 line): challenge and solution in the header, DER without sighash byte.
    Ocean,
    /// Elements without dynafed: challenge and solution in the header, DER without sighash byte.
    Elements,
    /// Elements with dynafed: parameters and a signblock witness in the header, DER plus `01`.
    Dynafed,
}

impl Dialect {
    /// All dialects, for tests and menus.
    pub const ALL: [Self; 3] = [Self::Ocean, Self::Elements, Self::Dynafed];

    /// Returns the dialect's name in settings and on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ocean => "ocean",
            Self::Elements => "elements",
            Self::Dynafed => "dynafed",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is not a dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown dialect `{0}`: use ocean, elements or dynafed")]
pub struct UnknownDialect(pub String);

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|d| d.as_str() == s)
            .ok_or_else(|| UnknownDialect(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_dialect() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.to_string().parse(), Ok(dialect));
        }
        assert_eq!(
            "Liquid".parse::<Dialect>(),
            Err(UnknownDialect("Liquid".to_owned()))
        );
    }
}
