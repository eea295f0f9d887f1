//! The arguments of `federation status`.

use std::path::PathBuf;

use clap::Args;

use crate::args::OperatorArgs;

/// Shows what an operator is doing, and the evidence that it holds.
///
/// While the daemon runs, it locks the store and writes its status to `status.json` and `evidence.json`
/// next to it, at least every ten seconds: these are shown. While it does not run, the store is read.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The operator.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
    /// Also show the evidence of double voting and double signing; with --json, including the signed messages.
    #[arg(long)]
    pub(crate) evidence: bool,
    /// Verify the evidence in a file with the JSON of `--evidence`. With --federation no operator.toml is
    /// needed.
    #[arg(long, conflicts_with = "evidence")]
    pub(crate) verify: Option<PathBuf>,
    /// For monitoring: print one line, and exit with 0 if good, 1 for a warning, 2 if critical, 3 if
    /// unknown.
    #[arg(long, conflicts_with_all = ["evidence", "verify"])]
    pub(crate) check: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
