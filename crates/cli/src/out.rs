//! Writing to the terminal or the pipe.

use std::io::Write;

use serde::Serialize;

use crate::CliError;

/// Writes a line to the standard output; a reader that went away ends the program quietly.
///
/// # Errors
/// If the output cannot be written, for example on a full disk.
pub fn line(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(CliError::failure(error, "check where the output goes")),
        Ok(()) => Ok(()),
    }
}

/// Writes a value as one line of JSON to the standard output, for machines.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value)
        .map_err(|error| CliError::failure(error, "report this as a fault of the program"))?;
    line(&text)
}

/// Writes a line to the standard error, for people only.
pub fn note(text: &str) {
    // There is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
