//! `multisig genesis`: the chain that a configuration defines.

mod compute;
mod diff;
mod load;
mod sweep;
mod verify;

use std::process::ExitCode;

use federation_cli::CliError;

pub(crate) use self::load::read_proposed;
use crate::cli::{GenesisArgs, GenesisCommand};

/// Runs the verb.
pub(crate) fn run(args: &GenesisArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        GenesisCommand::Compute(args) => compute::run(args),
        GenesisCommand::Verify(args) => verify::run(args),
        GenesisCommand::Diff(args) => diff::run(args),
        GenesisCommand::Sweep(args) => sweep::run(args),
    }
}
