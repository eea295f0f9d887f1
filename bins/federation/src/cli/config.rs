//! The arguments of `federation config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::run::SettingsArgs;

/// Checks configuration files.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What can be done with configuration files.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with operator.toml and federation.toml, by line, all at once.
    Check {
        /// The operator's private file.
        #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
        config: PathBuf,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
        /// Settings that replace those of the file.
        #[command(flatten)]
        settings: Box<SettingsArgs>,
    },
}
