//! The arguments of `multisig new`.

use std::path::PathBuf;

use clap::Args;
use federation_signer::SecretSource;

use super::NetworkArg;

/// Makes N keys, their M-of-N script and the settings of a chain signed by it.
///
/// For tests, and for a chain with a single owner: whoever runs this holds every key. Operators who
/// do not trust each other make their keys on their own machines, and combine the public halves with
/// `multisig script`.
///
/// The keys are written to files that only their owner may read, encrypted under one pass phrase.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The number of signatures that a block needs (M, more than half of N).
    #[arg(short = 'm', long)]
    pub(crate) threshold: u8,
    /// The number of keys (N, at most 20).
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) keys: u8,
    /// The network whose address prefixes and settings to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// The folder for the key files, created if missing.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// The source of the pass phrase: prompt, file:PATH, fd:NUMBER, env:NAME or credential:NAME.
    #[arg(long, default_value = "prompt", conflicts_with_all = ["insecure_plain", "insecure_print"])]
    pub(crate) passphrase: SecretSource,
    /// Write the key files without a pass phrase: whoever can read the disk has the keys.
    #[arg(long, conflicts_with = "insecure_print")]
    pub(crate) insecure_plain: bool,
    /// Print the secret keys instead of writing files: they stay on the screen and in its history.
    #[arg(long)]
    pub(crate) insecure_print: bool,
    /// Keep the keys in the order in which they were made, instead of that of BIP 67.
    #[arg(long)]
    pub(crate) unsorted: bool,
    /// Accept a threshold of half the keys or fewer, with which the chain can fork.
    #[arg(long)]
    pub(crate) insecure_minority: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
