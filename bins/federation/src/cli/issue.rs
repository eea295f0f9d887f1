//! The arguments of `federation issue`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use federation_ocean_rpc::Amount;
use federation_reissuance::ScriptKind;

use super::run::SettingsArgs;

/// Issues an asset whose reissuance tokens belong to the federation.
///
/// The own node's wallet issues the asset and keeps it, and pays all its reissuance tokens to an
/// M-of-N script of the operators' reissuance keys: from then on nobody alone can make more of it.
/// Prints the `[[reissuance]]` table that goes into everybody's federation.toml.
#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// The operator's private file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Settings that replace those of the file.
    #[command(flatten)]
    pub(crate) settings: Box<SettingsArgs>,
    /// How much to issue, in coins of 100,000,000 units: 1000 or 0.5.
    #[arg(long)]
    pub(crate) amount: Amount,
    /// How many reissuance tokens to make, in coins; one is enough for ever.
    #[arg(long, default_value = "1")]
    pub(crate) tokens: Amount,
    /// The M-of-N script of the operators' reissuance keys, in hex; `multisig script --role reissuance`
    /// makes one
    /// [default: that of the first `[[reissuance]]` table].
    #[arg(long, value_name = "HEX")]
    pub(crate) script: Option<String>,
    /// How the script is put into outputs [default: p2wsh, on Ocean p2sh].
    #[arg(long, value_enum)]
    pub(crate) script_type: Option<ScriptTypeArg>,
    /// Also pay this many coins for fees of the reissuances to the script (Elements).
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) fee_coins: Option<Amount>,
    /// The wallet of the node, where it has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) wallet: Option<String>,
    /// Show the addresses and what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Kinds of script on the command line.
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
