//! Errors for people: what went wrong, and what to do about it.

use core::fmt;
use std::process::ExitCode;

/// An error for people: one line that says what is wrong, and one that says what to do.
#[derive(Debug)]
pub struct CliError {
    what: String,
    help: String,
    code: u8,
}

/// The exit code for a failure that needs an operator's attention (`EX_CONFIG` of sysexits): a service
/// manager must not restart the program.
pub const NEEDS_ATTENTION: u8 = 78;

/// The help for an error that only a fault of the program can cause.
pub const BUG: &str = "this is a bug: please report it";

impl CliError {
    /// Creates an error for a failure; exit code 1.
    #[must_use]
    pub fn failure(what: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self {
            what: what.to_string(),
            help: help.to_string(),
            code: 1,
        }
    }

    /// Creates an error for a failure that a restart cannot fix; exit code [`NEEDS_ATTENTION`].
    #[must_use]
    pub fn attention(what: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self {
            code: NEEDS_ATTENTION,
            ..Self::failure(what, help)
        }
    }

    /// Creates an error for wrong usage; exit code 2.
    #[must_use]
    pub fn usage(what: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self {
            code: 2,
            ..Self::failure(what, help)
        }
    }

    /// Creates an error from a text that already says what to do; exit code 1.
    #[must_use]
    pub fn plain(text: String) -> Self {
        Self {
            what: text,
            help: String::new(),
            code: 1,
        }
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Returns what to do; empty if [`what`](Self::what) says it already.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// Returns the exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Whether the failure needs an operator's attention, so that a restart does not help.
    #[must_use]
    pub const fn needs_attention(&self) -> bool {
        self.code == NEEDS_ATTENTION
    }
}

impl std::error::Error for CliError {}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.help.is_empty() {
            return f.write_str(&self.what);
        }
        write!(f, "error: {}\n help: {}", self.what, self.help)
    }
}
