//! The arguments of `federation reissuance`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::run::SettingsArgs;

/// Shows what is reissued and why, and checks from the chain what was.
///
/// Which assets the federation makes more of is in the `[[reissuance]]` tables of federation.toml.
/// Both verbs read the chain of the own node from its beginning, need no key, and can be run beside
/// the daemon.
#[derive(Debug, Args)]
pub(crate) struct ReissuanceArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ReissuanceCommand,
}

/// Whose files, which node and which asset.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// The operator's private file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Settings that replace those of the file.
    #[command(flatten)]
    pub(crate) settings: Box<SettingsArgs>,
    /// Only this asset.
    #[arg(long, value_name = "ID")]
    pub(crate) asset: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum ReissuanceCommand {
    /// Show what is owed, and what will be owed up to a height.
    Plan {
        /// Which chain.
        #[command(flatten)]
        chain: ChainArgs,
        /// As of this height: one of the past, or one to come, if nothing else happens until then
        /// [default: the next point].
        #[arg(long)]
        height: Option<u32>,
    },
    /// Recompute every point from the chain, and fail if something else was made.
    ///
    /// What is owed for less than a period is no difference: a payment may take some blocks.
    Audit {
        /// Which chain.
        #[command(flatten)]
        chain: ChainArgs,
        /// The first height to report on.
        #[arg(long, default_value_t = 0)]
        from: u32,
        /// The last height [default: the node's best block].
        #[arg(long)]
        to: Option<u32>,
    },
}
