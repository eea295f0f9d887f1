//! Writing to the terminal or the pipe.

use std::io::Write;

use crate::errors::CliError;

/// Writes a line to the standard output; a reader that went away ends the program quietly.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(CliError::failure(error, "check where the output goes")),
        Ok(()) => Ok(()),
    }
}

/// Writes a line to the standard error, for people only.
pub(crate) fn note(text: &str) {
    // There is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
