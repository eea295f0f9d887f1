//! The arguments of `federation preflight`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::args::SettingsArgs;

/// Checks everything that an operator depends on: files, node, clock, messenger, store and keys.
///
/// Prints a line for each check, green, yellow or red. Changes nothing and signs no block. Other
/// operators can be reached only while their daemon or their preflight runs: run it at the same time.
/// Exit code 1 if a check is red.
#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    /// The operator's private configuration file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Check beside the running operator: expect it to hold its locks, and leave its keys and port alone.
    #[arg(long)]
    pub(crate) running: bool,
    /// How long to wait for the other operators, and for the node to connect to a peer.
    #[arg(long, value_parser = crate::args::duration, default_value = "5s")]
    pub(crate) wait: Duration,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
