//! The arguments of `multisig wif`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::NetworkArg;

/// Reads a secret key, in hex or WIF, and shows its public half and address.
///
/// The secret comes from a file or from standard input, and is printed only with `--insecure-print`.
#[derive(Debug, Args)]
pub(crate) struct WifArgs {
    /// The key file [default: standard input].
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// The network of a key in WIF.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Print the secret key in this form.
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) insecure_print: Option<SecretForm>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The format of a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretForm {
    /// Wallet import format, for a node's wallet.
    Wif,
    /// 64 hexadecimal digits.
    Hex,
}
