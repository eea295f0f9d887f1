//! The arguments of `federation status`.

use std::path::PathBuf;

use clap::Args;

use super::guard::PlaceArgs;

/// Shows what an operator does, and the evidence that it holds.
///
/// While the daemon runs it has the store for itself, and writes what it does into `status.json`
/// and `evidence.json` beside it, at least every ten seconds: these are shown. When it does not run
/// the store is.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The operator.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Show the evidence of double voting and signing too; as JSON with the signed messages.
    #[arg(long)]
    pub(crate) evidence: bool,
    /// Check evidence that somebody gives, a file with the JSON of `--evidence`. With --federation
    /// no operator.toml is needed.
    #[arg(long, conflicts_with = "evidence")]
    pub(crate) verify: Option<PathBuf>,
    /// For monitors: answer in one line, and with the exit code how it is: 0 good, 1 warning,
    /// 2 critical, 3 unknown.
    #[arg(long, conflicts_with_all = ["evidence", "verify"])]
    pub(crate) check: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
