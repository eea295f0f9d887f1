//! The arguments of `federation config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::SettingsArgs;

/// Checks configuration files.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The verb.
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report every error in operator.toml and federation.toml, with its line.
    ///
    /// Opens the keys as `federation run` does, but signs nothing. Contacts neither the node nor the
    /// brokers nor other operators: `federation preflight` does that.
    Check {
        /// The operator's private configuration file.
        #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
        config: PathBuf,
        /// Do not open the keys, for example because they are on another machine.
        #[arg(long)]
        without_keys: bool,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
        /// Settings that override the file.
        #[command(flatten)]
        settings: Box<SettingsArgs>,
    },
}
