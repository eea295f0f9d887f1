//! The kinds of node whose configuration is read.

use core::{fmt, str::FromStr};

use federation_chain::Dialect;

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Elements 23.
    Elements,
    /// Ocean, branch `master`.
    Ocean,
}

impl NodeKind {
    /// Returns its name, `elements` or `ocean`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::Ocean => "ocean",
        }
    }

    /// Returns the name of its configuration file, which the node reads by default.
    #[must_use]
    pub const fn conf_file(self) -> &'static str {
        match self {
            Self::Elements => "elements.conf",
            Self::Ocean => "ocean.conf",
        }
    }

    /// Returns the name of its daemon.
    #[must_use]
    pub const fn daemon(self) -> &'static str {
        match self {
            Self::Elements => "elementsd",
            Self::Ocean => "oceand",
        }
    }

    /// Returns the name of its command-line client.
    #[must_use]
    pub const fn client(self) -> &'static str {
        match self {
            Self::Elements => "elements-cli",
            Self::Ocean => "ocean-cli",
        }
    }

    /// Returns the other kind.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Elements => Self::Ocean,
            Self::Ocean => Self::Elements,
        }
    }
}

impl From<Dialect> for NodeKind {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Ocean => Self::Ocean,
            Dialect::Elements | Dialect::Dynafed => Self::Elements,
        }
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error for text that does not name a kind of node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of node `{0}`: expected elements or ocean")]
pub struct UnknownNode(String);

impl FromStr for NodeKind {
    type Err = UnknownNode;

    fn from_str(text: &str) -> Result<Self, UnknownNode> {
        match text {
            "elements" => Ok(Self::Elements),
            "ocean" => Ok(Self::Ocean),
            other => Err(UnknownNode(other.to_owned())),
        }
    }
}
