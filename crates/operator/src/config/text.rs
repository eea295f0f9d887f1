//! A configuration file's text: reading it within bounds, and finding lines.

use std::{io::Read, path::Path};

use super::report::{ConfigReport, Problem};

/// The longest file that is read, in bytes: many times what 20 operators need.
const MAX_FILE: u64 = 1024 * 1024;

/// The longest password, in bytes.
const MAX_PASSWORD: usize = 4096;

/// Reads a configuration file, or says why not.
pub(super) fn read(path: &Path) -> Result<String, Problem> {
    read_within(path, MAX_FILE)
}

/// Reads a file of at most so many bytes, or says why not.
pub(super) fn read_within(path: &Path, limit: u64) -> Result<String, Problem> {
    let problem = |message: String, cure: &str| Problem {
        file: path.to_owned(),
        line: None,
        column: None,
        message,
        cure: cure.to_owned(),
    };
    let unreadable = |error: std::io::Error| {
        problem(
            format!("cannot be read: {error}"),
            "check the path and who may read it; `federation init` writes a first set",
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(problem(
            format!("has more than {limit} bytes"),
            "give the configuration file, not another one",
        ));
    }
    String::from_utf8(bytes).map_err(|_| problem("is no UTF-8 text".to_owned(), "save it as UTF-8"))
}

/// Reads a file that holds one password, and at most a line's end.
pub(super) fn read_password(path: &Path, cure: &str) -> Result<String, ConfigReport> {
    let problem = |message: String| ConfigReport {
        problems: vec![Problem {
            file: path.to_owned(),
            line: None,
            column: None,
            message,
            cure: cure.to_owned(),
        }],
    };
    let text = read(path).map_err(|error| problem(error.message))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() || password.len() > MAX_PASSWORD || password.contains('\n') {
        return Err(problem("does not hold one password".to_owned()));
    }
    Ok(password.to_owned())
}

/// The place of a byte in its line, counted in characters from 1.
pub(super) fn column_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    1 + line.chars().count()
}

/// The line of a byte, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
