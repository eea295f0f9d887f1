//! The arguments of `multisig address`.

use clap::Args;

use super::NetworkArg;

/// Shows the addresses of a multisig script or of one public key.
#[derive(Debug, Args)]
pub(crate) struct AddressArgs {
    /// A multisig script or a compressed public key, in hex.
    #[arg(value_name = "SCRIPT|KEY")]
    pub(crate) hex: String,
    /// The network whose address prefixes to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
