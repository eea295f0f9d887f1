//! The arguments of `multisig inspect`.

use clap::Args;

use super::NetworkArg;

/// Decodes a script and shows what is wrong with it.
///
/// Recognises the scripts written by the old generator, `generate_multisig.py`: from ten keys on they
/// are faulty, and no node accepts a signature for them.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The script in hex.
    pub(crate) script: String,
    /// The network whose address prefixes and settings to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
