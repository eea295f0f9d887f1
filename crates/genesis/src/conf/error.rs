//! Errors for configuration files that a node would read differently from what they appear to say.

use core::fmt;

use crate::hex::HexError;

/// One error in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfError {
    /// The file is too long.
    #[error("{0} bytes are too many for a configuration file")]
    TooLong(usize),
    /// The node refuses a line with a dash.
    #[error("line {0} begins with `-`: settings in a file have no dash")]
    Dash(usize),
    /// The node refuses a line of this form.
    #[error("line {0} is neither `name=value` nor `[section]`")]
    NoValue(usize),
    /// The parameters of the chain are built into the node.
    #[error(
        "the chain `{0}` is built into the node and takes no settings: choose another name with chain="
    )]
    FixedChain(String),
    /// The name is not accepted by nodes, or would be cut off in a file.
    #[error("invalid chain name `{0}`: use letters, digits, `_` and `-`")]
    ChainName(String),
    /// No setting that defines a chain has this name.
    #[error("no setting that defines a chain is called {0}")]
    Unknown(String),
    /// The chain's name is missing.
    #[error("chain= is missing, so the node would join `{0}`")]
    NoChain(&'static str),
    /// Another setting chooses a different chain.
    #[error("line {line}: {name}=1 selects a different chain from chain=: omit it")]
    OtherChain {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
    },
    /// The node ignores the setting in this section.
    #[error(
        "line {line}: {name} is in section [{section}], where the node of chain `{chain}` ignores it: move it {hint}"
    )]
    Section {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
        /// The section that it is in.
        section: String,
        /// The chain.
        chain: String,
        /// Where to move it.
        hint: &'static str,
    },
    /// The node ignores the setting outside of its chain's section.
    #[error(
        "line {line}: {name} is outside of section [{chain}], where the node ignores it: move it there"
    )]
    NotInSection {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
        /// The chain, which is also the name of the section.
        chain: String,
    },
    /// The setting has two different values, of which the node takes the first.
    #[error(
        "line {line}: {name} is set again to a different value, and the node takes the first: keep one"
    )]
    Twice {
        /// The line of the second.
        line: usize,
        /// The setting.
        name: String,
    },
    /// A list is negated.
    #[error("line {line}: no{name} clears a list: omit the list instead")]
    NegatedList {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
    },
    /// The node would truncate the hex.
    #[error("line {line}: {name}: {source}")]
    Hex {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
        /// What is wrong with the hex.
        source: HexError,
    },
    /// The bytes are not a script.
    #[error("line {line}: {name} is not a script: it ends within a push")]
    Script {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
    },
    /// The node would read a different value.
    #[error("line {line}: {name}={value} would be misread by the node: expected {expected}")]
    Value {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
        /// The value.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The name is close to that of a setting. Nodes ignore it or do not start.
    #[error("line {line}: unknown setting {name}: did you mean {meant}?")]
    Misspelt {
        /// The line.
        line: usize,
        /// The name.
        name: String,
        /// The closest setting.
        meant: &'static str,
    },
    /// A setting of older nodes, which current ones silently ignore.
    #[error(
        "line {line}: {name} is a setting of older nodes, which this one ignores: use {replacement}"
    )]
    Replaced {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
        /// The setting that replaces it.
        replacement: &'static str,
    },
    /// A setting of the other kind of node.
    #[error(
        "line {line}: {name} is a setting of {other}, which {node} ignores or does not start with: omit it"
    )]
    OtherNode {
        /// The line.
        line: usize,
        /// The setting.
        name: String,
        /// The kind of node that the file is for.
        node: crate::NodeKind,
        /// The kind of node that has the setting.
        other: crate::NodeKind,
    },
    /// A name that looks like a rule of the chain, but that no node knows.
    #[error("line {line}: unknown setting {name}, which the node would silently ignore: omit it")]
    UnknownRule {
        /// The line.
        line: usize,
        /// The name.
        name: String,
    },
    /// The file includes another, whose settings would count.
    #[error(
        "line {0}: includeconf is not supported: put everything that defines the chain into one file"
    )]
    Include(usize),
}

/// All errors in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConf {
    pub(crate) errors: Vec<ConfError>,
}

impl InvalidConf {
    /// The errors in the order of the file; at least one.
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
