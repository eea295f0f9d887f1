//! What was found, and how bad it is.

use serde::Serialize;

/// How something is. The numbers are the exit codes of `--check`, those that monitors expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Somebody should look.
    Warning,
    /// This operator does not do its part, or no blocks come.
    Critical,
    /// It cannot be told.
    Unknown,
}

impl Level {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    /// What is worse hides what is less.
    pub(super) const fn weight(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is about, in a word that stays the same.
    pub(super) about: &'static str,
    /// What is so.
    pub(super) what: String,
    /// What to do; empty where that is part of what is so.
    pub(super) help: String,
}

/// What was found, the worst first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(
        &mut self,
        level: Level,
        about: &'static str,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.0.push(Finding {
            level,
            about,
            what: what.into(),
            help: help.into(),
        });
    }

    /// The worst.
    pub(super) fn level(&self) -> Level {
        let levels = self.0.iter().map(|finding| finding.level);
        levels
            .max_by_key(|level| level.weight())
            .unwrap_or(Level::Good)
    }

    /// All of it in one line.
    pub(super) fn line(&self) -> String {
        let all: Vec<_> = self.0.iter().map(|finding| finding.what.as_str()).collect();
        all.join("; ")
    }
}
