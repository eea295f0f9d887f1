//! The arguments of `multisig inspect`.

use clap::Args;

use super::NetworkArg;

/// Says what a script is, and what is wrong with it.
///
/// Knows the scripts that the federation's old generator, `generate_multisig.py`, wrote: from ten
/// keys on they are wrong, and no node accepts a signature for them.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The script in hex.
    pub(crate) script: String,
    /// Whose address prefixes and settings to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
