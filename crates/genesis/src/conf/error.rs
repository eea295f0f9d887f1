//! Configuration files that say something else than they seem to.

use core::fmt;

use crate::hex::HexError;

/// One thing wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfError {
    /// No configuration file is that long.
    #[error("{0} bytes are too many for a configuration file")]
    TooLong(usize),
    /// A line that the node refuses.
    #[error("line {0} begins with `-`: settings in a file have no dash")]
    Dash(usize),
    /// A line that the node refuses.
    #[error("line {0} is neither `name=value` nor `[section]`")]
    NoValue(usize),
    /// A chain whose parameters are in the node itself.
    #[error("the chain `{0}` is fixed in the node and takes no settings: give another with chain=")]
    FixedChain(String),
    /// A name that no node has, or that would be cut in a file.
    #[error("`{0}` is no name of a chain: use letters, digits, `_` and `-`")]
    ChainName(String),
    /// A name that is none of those that make a chain.
    #[error("there is no setting {0} among those that make a chain")]
    Unknown(String),
    /// The chain's name is part of its genesis.
    #[error("there is no chain=: the node would join `{0}`")]
    NoChain(&'static str),
    /// A setting that chooses another chain.
    #[error("line {line}: {name}=1 chooses another chain than chain= does: leave it out")]
    OtherChain {
        /// Where.
        line: usize,
        /// Which setting.
        name: String,
    },
    /// A setting that the node does not see where it stands.
    #[error(
        "line {line}: {name} stands in section [{section}], where the node of chain `{chain}` does not see it: move it {cure}"
    )]
    Section {
        /// Where.
        line: usize,
        /// Which setting.
        name: String,
        /// Where it stands.
        section: String,
        /// The chain.
        chain: String,
        /// Where to.
        cure: &'static str,
    },
    /// A setting that the node ignores outside of its chain's section.
    #[error(
        "line {line}: {name} stands outside of section [{chain}], where the node ignores it: move it there"
    )]
    NotInSection {
        /// Where.
        line: usize,
        /// Which setting.
        name: String,
        /// The chain, and the section.
        chain: String,
    },
    /// The node takes the first, whatever comes later.
    #[error(
        "line {line}: {name} is set again, to another value, and the node takes the first: keep one"
    )]
    Twice {
        /// Where the second stands.
        line: usize,
        /// Which setting.
        name: String,
    },
    /// A list that is negated.
    #[error("line {line}: no{name} empties a list: leave the list out instead")]
    NegatedList {
        /// Where.
        line: usize,
        /// Which setting.
        name: String,
    },
    /// Hex that a node cuts.
    #[error("line {line}: {name}: {source}")]
    Hex {
        /// Where.
        line: usize,
        /// Which setting.
        name: String,
        /// What is wrong with it.
        source: HexError,
    },
    /// Bytes that are no script.
    #[error("line {line}: {name} is no script: it ends within a push")]
    Script {
        /// Where.
        line: usize,
        /// Which setting.
        name: String,
    },
    /// A number that the node reads as another.
    #[error("line {line}: {name}={value} is no {what}, and the node would read something else")]
    Value {
        /// Where.
        line: usize,
        /// Which setting.
        name: String,
        /// What stands there.
        value: String,
        /// What should.
        what: &'static str,
    },
    /// A name that is nearly that of a setting; the nodes ignore it, or refuse to start.
    #[error("line {line}: there is no setting {name}: did you mean {meant}?")]
    Misspelt {
        /// Where.
        line: usize,
        /// What stands there.
        name: String,
        /// What is nearest.
        meant: &'static str,
    },
    /// A name that the node once had; now it is passed over without a word.
    #[error("line {line}: {name} is a setting of older nodes, which this one ignores: use {cure}")]
    Replaced {
        /// Where.
        line: usize,
        /// What stands there.
        name: String,
        /// What does the same now.
        cure: &'static str,
    },
    /// A name of the other family.
    #[error(
        "line {line}: {name} is a setting of {other}, which {node} passes over or does not start with: leave it out"
    )]
    OtherNode {
        /// Where.
        line: usize,
        /// What stands there.
        name: String,
        /// Whose file it is.
        node: crate::NodeKind,
        /// Whose setting it is.
        other: crate::NodeKind,
    },
    /// A name like those of the chain's rules, which no node knows.
    #[error(
        "line {line}: there is no setting {name}, and the node passes it over without a word: leave it out"
    )]
    UnknownRule {
        /// Where.
        line: usize,
        /// What stands there.
        name: String,
    },
    /// Another file, whose settings would count.
    #[error("line {0}: includeconf is not followed: put all that makes the chain into one file")]
    Include(usize),
}

/// Everything that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConf {
    pub(crate) errors: Vec<ConfError>,
}

impl InvalidConf {
    /// What is wrong, in the order of the file; at least one.
    #[must_use]
    pub fn errors(&self) -> &[ConfError] {
        &self.errors
    }
}

impl From<ConfError> for InvalidConf {
    fn from(error: ConfError) -> Self {
        Self {
            errors: vec![error],
        }
    }
}

impl core::error::Error for InvalidConf {}

impl fmt::Display for InvalidConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}
