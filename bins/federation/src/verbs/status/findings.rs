//! Findings about an operator, and their severity.

use serde::Serialize;

/// The severity of a finding. The numbers are the exit codes of `--check`, as monitoring systems expect them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Somebody should take a look.
    Warning,
    /// This operator does not participate, or there are no new blocks.
    Critical,
    /// It cannot be determined.
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

    /// The order of severity: the worst finding determines the overall level.
    pub(super) const fn weight(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// Its subject, a stable keyword.
    pub(super) about: &'static str,
    /// What was found.
    pub(super) what: String,
    /// What to do; empty if `what` says it already.
    pub(super) help: String,
}

/// All findings, the worst first.
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

    /// Returns the worst level.
    pub(super) fn level(&self) -> Level {
        let levels = self.0.iter().map(|finding| finding.level);
        levels
            .max_by_key(|level| level.weight())
            .unwrap_or(Level::Good)
    }

    /// Formats all findings in one line.
    pub(super) fn line(&self) -> String {
        let all: Vec<_> = self.0.iter().map(|finding| finding.what.as_str()).collect();
        all.join("; ")
    }
}
