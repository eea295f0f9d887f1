//! Whose configuration it is.

use core::{fmt, str::FromStr};

/// The family of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Elements 23.
    Elements,
    /// Ocean, branch `master`.
    Ocean,
}

impl NodeKind {
    /// Its name, `elements` or `ocean`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::Ocean => "ocean",
        }
    }

    /// The other family.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Elements => Self::Ocean,
            Self::Ocean => Self::Elements,
        }
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no family of nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of node: use elements or ocean")]
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
