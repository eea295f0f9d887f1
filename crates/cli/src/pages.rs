//! Manual pages and shell completions, generated from the description of the command line.

use std::{path::Path, process::ExitCode};

use clap::Command;
use clap_complete::Shell;

use crate::{CliError, OrHelp};

/// Writes the manual pages of a program and of each of its verbs into a folder, created if missing.
///
/// # Errors
/// If the folder cannot be written.
pub fn write_man_pages(command: Command, folder: &Path) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .or_help_in(
            "cannot write the manual pages",
            "choose a writable folder with --out",
        )?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the completion script of a program to the standard output.
#[must_use]
pub fn write_completions(mut command: Command, shell: Shell) -> ExitCode {
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut std::io::stdout());
    ExitCode::SUCCESS
}
