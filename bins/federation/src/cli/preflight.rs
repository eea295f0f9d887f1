//! The arguments of `federation preflight`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::run::SettingsArgs;

/// Asks everything that an operator depends on, and prints what is green.
///
/// Files, node, clock, messenger, store and keys. Changes nothing and signs no block. Others are
/// reached only while their operator, or their preflight, runs: do it at the same time. Exit code 1
/// if anything is red.
#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    /// The operator's private file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// The operator runs: its locks show that it does, and keys and port are left to it.
    #[arg(long)]
    pub(crate) running: bool,
    /// How long to wait for the other operators, and for the node to find a peer.
    #[arg(long, value_parser = super::duration, default_value = "5s")]
    pub(crate) wait: Duration,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Settings that replace those of the file.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
