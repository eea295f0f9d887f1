//! The arguments of `federation issue`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use federation_ocean_rpc::Amount;
use federation_reissuance::ScriptKind;

use crate::args::SettingsArgs;

/// Issues an asset whose reissuance tokens belong to the federation.
///
/// The wallet of your node issues the asset and keeps it, but pays all reissuance tokens to an M-of-N
/// script of the operators' reissuance keys: from then on nobody can reissue the asset alone. Prints
/// the `[[reissuance]]` table to add to every operator's federation.toml.
#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// The operator's private configuration file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) settings: Box<SettingsArgs>,
    /// The amount to issue, in coins of 100,000,000 units, for example 1000 or 0.5.
    #[arg(long)]
    pub(crate) amount: Amount,
    /// The amount of reissuance tokens to create, in coins; one is enough for ever.
    #[arg(long, default_value = "1")]
    pub(crate) tokens: Amount,
    /// The M-of-N script of the operators' reissuance keys, in hex, from `multisig script --role
    /// reissuance` [default: that of the first `[[reissuance]]` table].
    #[arg(long, value_name = "HEX")]
    pub(crate) script: Option<String>,
    /// The type of output for the script [default: p2wsh; p2sh on Ocean].
    #[arg(long, value_enum)]
    pub(crate) script_type: Option<ScriptTypeArg>,
    /// Also pay this many coins to the script, for the fees of reissuances (only Elements).
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) fee_coins: Option<Amount>,
    /// The wallet to use, if the node has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) wallet: Option<String>,
    /// Only print the addresses and what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Types of output on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScriptTypeArg {
    /// Pay to script hash.
    P2sh,
    /// Pay to witness script hash.
    P2wsh,
}

impl From<ScriptTypeArg> for ScriptKind {
    fn from(arg: ScriptTypeArg) -> Self {
        match arg {
            ScriptTypeArg::P2sh => Self::P2sh,
            ScriptTypeArg::P2wsh => Self::P2wsh,
        }
    }
}
