//! What a person is told when something goes wrong: what, and what to do.

use core::fmt;
use std::process::ExitCode;

/// An error for a person: one line of what is wrong, one of what to do.
#[derive(Debug)]
pub struct CliError {
    what: String,
    cure: String,
    code: u8,
}

/// The exit code of what only a person can mend (`EX_CONFIG` of sysexits): a service manager must not
/// start the program again.
pub const FOR_PEOPLE: u8 = 78;

impl CliError {
    /// Something failed; exit code 1.
    #[must_use]
    pub fn failure(what: impl fmt::Display, cure: impl fmt::Display) -> Self {
        Self {
            what: what.to_string(),
            cure: cure.to_string(),
            code: 1,
        }
    }

    /// It failed, and starting again does not help; exit code [`FOR_PEOPLE`].
    #[must_use]
    pub fn for_people(what: impl fmt::Display, cure: impl fmt::Display) -> Self {
        Self {
            code: FOR_PEOPLE,
            ..Self::failure(what, cure)
        }
    }

    /// It was asked for wrongly; exit code 2.
    #[must_use]
    pub fn usage(what: impl fmt::Display, cure: impl fmt::Display) -> Self {
        Self {
            code: 2,
            ..Self::failure(what, cure)
        }
    }

    /// Something failed, and the text says already what to do; exit code 1.
    #[must_use]
    pub fn plain(text: String) -> Self {
        Self {
            what: text,
            cure: String::new(),
            code: 1,
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do; empty if that is part of what is wrong.
    #[must_use]
    pub fn cure(&self) -> &str {
        &self.cure
    }

    /// The exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Whether it is for people, and not for a restart.
    #[must_use]
    pub const fn is_for_people(&self) -> bool {
        self.code == FOR_PEOPLE
    }
}

impl std::error::Error for CliError {}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cure.is_empty() {
            return f.write_str(&self.what);
        }
        write!(f, "error: {}\n   do: {}", self.what, self.cure)
    }
}
