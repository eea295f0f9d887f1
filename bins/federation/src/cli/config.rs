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
    ///
    /// The keys are opened as `federation run` opens them, and nothing is signed; node, brokers and other
    /// operators are not asked, which `federation preflight` does.
    Check {
        /// The operator's private file.
        #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
        config: PathBuf,
        /// Leave the keys alone: they are on another machine, or their pass phrases are not at hand.
        #[arg(long)]
        without_keys: bool,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
        /// Settings that replace those of the file.
        #[command(flatten)]
        settings: Box<SettingsArgs>,
    },
}
