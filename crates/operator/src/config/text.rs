//! A configuration file's text: reading it within bounds, and finding lines.

use std::{io::Read, path::Path};

use super::report::Problem;

/// The longest file that is read, in bytes: many times what 20 operators need.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads a file, or says why not.
pub(super) fn read(path: &Path) -> Result<String, Problem> {
    let problem = |message: String, cure: &str| Problem {
        file: path.to_owned(),
        line: None,
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
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(problem(
            format!("has more than {MAX_FILE} bytes"),
            "give the configuration file, not another one",
        ));
    }
    String::from_utf8(bytes).map_err(|_| problem("is no UTF-8 text".to_owned(), "save it as UTF-8"))
}

/// The line of a byte, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
