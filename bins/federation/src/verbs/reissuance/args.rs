//! The arguments of `federation reissuance`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::SettingsArgs;

/// Shows which reissuances are due and why, and audits the chain for past ones.
///
/// The `[[reissuance]]` tables of federation.toml name the assets that the federation reissues. Both
/// verbs read the chain of your node from the genesis block on, need no key, and can be run while the
/// daemon is running.
#[derive(Debug, Args)]
pub(crate) struct ReissuanceArgs {
    /// The verb.
    #[command(subcommand)]
    pub(crate) command: ReissuanceCommand,
}

/// The operator's configuration, and the asset.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// The operator's private configuration file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) settings: Box<SettingsArgs>,
    /// Only this asset.
    #[arg(long, value_name = "ID")]
    pub(crate) asset: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum ReissuanceCommand {
    /// Show the reissuances that are due, and those that fall due up to a height.
    Plan {
        /// The operator's configuration, and the asset.
        #[command(flatten)]
        chain: ChainArgs,
        /// Show the plan as of this height; a future one assumes that nothing else happens until then
        /// [default: the next point].
        #[arg(long)]
        height: Option<u32>,
    },
    /// Recompute every reissuance from the chain, and fail if the chain differs.
    ///
    /// A reissuance that has been due for less than a period is not counted as a difference: it may take
    /// some blocks.
    Audit {
        /// The operator's configuration, and the asset.
        #[command(flatten)]
        chain: ChainArgs,
        /// The first height to report.
        #[arg(long, default_value_t = 0)]
        from: u32,
        /// The last height to report [default: the node's tip].
        #[arg(long)]
        to: Option<u32>,
    },
}
