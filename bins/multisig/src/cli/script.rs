//! The arguments of `multisig script`.

use clap::Args;

use super::NetworkArg;

/// Makes an M-of-N script of public keys, its addresses and the settings of a chain that it signs.
#[derive(Debug, Args)]
pub(crate) struct ScriptArgs {
    /// How many signatures it asks for (M, more than half of the keys).
    #[arg(short = 'm', long)]
    pub(crate) threshold: u8,
    /// The public keys, compressed, in hex.
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Whose address prefixes and settings to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Keep the keys in the order given, not that of BIP 67.
    #[arg(long)]
    pub(crate) unsorted: bool,
    /// Accept a threshold of half the keys or fewer, with which a chain can fork.
    #[arg(long)]
    pub(crate) insecure_minority: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
