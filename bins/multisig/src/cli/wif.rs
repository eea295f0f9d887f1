//! The arguments of `multisig wif`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::NetworkArg;

/// Reads one secret key, as hex or WIF, and shows its public half and address.
///
/// The secret comes from a file or from the standard input, and is shown in another form only with
/// `--insecure-print`.
#[derive(Debug, Args)]
pub(crate) struct WifArgs {
    /// The key file; the standard input if not given.
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// Which chain the key in WIF belongs to.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Print the secret key in this form.
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) insecure_print: Option<SecretForm>,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a secret key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretForm {
    /// In wallet import format, for a node's wallet.
    Wif,
    /// As 64 hexadecimal digits.
    Hex,
}
