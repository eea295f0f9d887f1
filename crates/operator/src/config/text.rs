//! The text of a configuration file: bounded reading, lines and columns.

use std::path::Path;

use federation_files::{ReadError, read_bounded};

use super::report::{ConfigProblem, ConfigReport};

/// The maximum size of a file in bytes, many times what 20 operators need.
const MAX_FILE: usize = 1024 * 1024;

/// The maximum length of a password in bytes.
const MAX_PASSWORD: usize = 4096;

/// Reads a configuration file.
pub(super) fn read(path: &Path) -> Result<String, ConfigProblem> {
    read_within(path, MAX_FILE)
}

/// Reads a file of at most `limit` bytes.
pub(super) fn read_within(path: &Path, limit: usize) -> Result<String, ConfigProblem> {
    let problem = |message: String, help: &str| ConfigProblem {
        file: path.to_owned(),
        line: None,
        column: None,
        message,
        help: help.to_owned(),
    };
    let bytes = read_bounded(path, limit).map_err(|error| match error {
        ReadError::TooLarge { .. } => problem(
            format!("is larger than {limit} bytes"),
            "check that this is the right file",
        ),
        other => problem(
            format!("cannot be read: {other}"),
            "check the path and its permissions; `federation init` creates a set of files",
        ),
    })?;
    String::from_utf8(bytes).map_err(|_| problem("is not UTF-8".to_owned(), "save it as UTF-8"))
}

/// Reads a file that holds one password, optionally followed by line ends.
pub(super) fn read_password(path: &Path, help: &str) -> Result<String, ConfigReport> {
    let problem = |message: String| ConfigReport {
        problems: vec![ConfigProblem {
            file: path.to_owned(),
            line: None,
            column: None,
            message,
            help: help.to_owned(),
        }],
    };
    let text = read(path).map_err(|error| problem(error.message))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() || password.len() > MAX_PASSWORD || password.contains('\n') {
        return Err(problem(format!(
            "must contain one password of at most {MAX_PASSWORD} bytes"
        )));
    }
    Ok(password.to_owned())
}

/// Returns the column of a byte in characters, counted from 1.
pub(super) fn column_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    1 + line.chars().count()
}

/// Returns the line of a byte, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
