//! Writing results to the standard output, and remarks to the standard error.

use std::io::Write;

use serde::Serialize;

use crate::{BUG, CliError, OrHelp};

/// Writes a line to the standard output; a closed pipe ends the program quietly.
///
/// # Errors
/// If the output cannot be written, for example on a full disk.
pub fn line(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(CliError::failure(
            format!("cannot write the output: {error}"),
            "check where it goes: the disk may be full",
        )),
        Ok(()) => Ok(()),
    }
}

/// Writes a value to the standard output as one line of JSON, for programs.
///
/// # Errors
/// Same as [`line()`].
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).or_help(BUG)?;
    line(&text)
}

/// Writes a line to the standard error, for people.
pub fn note(text: &str) {
    // Where the standard error is closed, nobody reads it.
    let _ = writeln!(std::io::stderr(), "{text}");
}
