//! The async runtimes of the program's verbs.

use federation_cli::CliError;

/// A runtime for a whole federation in one process.
pub(crate) fn multi_thread() -> Result<tokio::runtime::Runtime, CliError> {
    build(&mut tokio::runtime::Builder::new_multi_thread())
}

/// A runtime for one operator, as small as can be.
pub(crate) fn current_thread() -> Result<tokio::runtime::Runtime, CliError> {
    build(&mut tokio::runtime::Builder::new_current_thread())
}

fn build(builder: &mut tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, CliError> {
    builder
        .enable_all()
        .build()
        .map_err(|error| CliError::failure(error, "check the system's limits on threads and files"))
}
