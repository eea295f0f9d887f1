//! Where settings stand in their files, for who finds later that one of them is wrong.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use federation_roster::OperatorId;
use federation_signer::KeyRole;

use super::report::Problem;

/// A setting that is tried only when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Setting {
    /// `listen`.
    Listen,
    /// `[kafka]`.
    Kafka,
    /// `[node]`.
    Node,
    /// The key of a role: its short form or its table.
    Key(KeyRole),
    /// An operator's `endpoint` in `federation.toml`.
    Endpoint(OperatorId),
}

/// The file and line of each such setting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Places {
    private: PathBuf,
    lines: BTreeMap<Setting, (PathBuf, usize)>,
}

impl Places {
    /// None known yet; `private` is the path of `operator.toml`.
    pub(super) fn new(private: &Path) -> Self {
        Self {
            private: private.to_owned(),
            lines: BTreeMap::new(),
        }
    }

    /// Notes a setting's line, if it stands in the file and was not given elsewhere.
    pub(super) fn note(&mut self, setting: Setting, file: &Path, line: Option<usize>) {
        if let Some(line) = line {
            self.lines.insert(setting, (file.to_owned(), line));
        }
    }

    /// A problem with a setting.
    pub(super) fn problem(&self, setting: Setting, message: String, cure: String) -> Problem {
        let known = self.lines.get(&setting);
        Problem {
            file: known.map_or(&self.private, |(file, _)| file).clone(),
            line: known.map(|(_, line)| *line),
            column: None,
            message,
            cure,
        }
    }
}
