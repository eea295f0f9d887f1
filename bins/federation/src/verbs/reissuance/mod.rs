//! `federation reissuance`: shows which reissuances are due, and audits the chain for past ones.

mod args;
mod audit;
mod plan;
mod read;

use std::process::ExitCode;

use federation_cli::CliError;

pub(crate) use self::args::ReissuanceArgs;
use self::args::ReissuanceCommand;

/// Runs a verb of `federation reissuance`.
pub(crate) fn run(args: &ReissuanceArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ReissuanceCommand::Plan { chain, height } => plan::run(chain, *height),
        ReissuanceCommand::Audit { chain, from, to } => audit::run(chain, *from, *to),
    }
}
