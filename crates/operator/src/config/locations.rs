//! The lines of settings that may turn out to be wrong only when they are used.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use federation_roster::OperatorId;
use federation_signer::KeyRole;

use super::{reader::Reader, report::ConfigProblem};

/// A setting that is checked only when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Setting {
    /// `listen`.
    Listen,
    /// `[kafka]`.
    Kafka,
    /// `[node]`.
    Node,
    /// The key of a role, in its short form or as a table.
    Key(KeyRole),
    /// An operator's `endpoint` in `federation.toml`.
    Endpoint(OperatorId),
}

/// The file and line of each such setting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Locations {
    private: PathBuf,
    lines: BTreeMap<Setting, (PathBuf, usize)>,
}

impl Locations {
    /// Creates an empty set; `private` is the path of `operator.toml`.
    pub(super) fn new(private: &Path) -> Self {
        Self {
            private: private.to_owned(),
            lines: BTreeMap::new(),
        }
    }

    /// Records where a setting is, if it comes from the file that is being read.
    pub(super) fn record(&mut self, setting: Setting, reader: &Reader<'_>, at: Option<usize>) {
        self.record_line(setting, reader.path(), reader.line(at));
    }

    /// Records the line of a setting, if it comes from this file.
    pub(super) fn record_line(&mut self, setting: Setting, file: &Path, line: Option<usize>) {
        if let Some(line) = line {
            self.lines.insert(setting, (file.to_owned(), line));
        }
    }

    /// Returns a problem with a setting, at its line if known.
    pub(super) fn problem(&self, setting: Setting, message: String, help: String) -> ConfigProblem {
        let known = self.lines.get(&setting);
        ConfigProblem {
            file: known.map_or(&self.private, |(file, _)| file).clone(),
            line: known.map(|(_, line)| *line),
            column: None,
            message,
            help,
        }
    }
}
