//! The arguments of `multisig new`.

use std::path::PathBuf;

use clap::Args;
use federation_signer::SecretSource;

use super::NetworkArg;

/// Makes N keys, their M-of-N script and the settings of a chain that it signs.
///
/// For trying out, and for a chain of one owner: whoever runs this holds every key. Operators who
/// do not trust each other make their keys each on their own machine and put the public halves
/// together with `multisig script`.
///
/// The keys go into files that only their owner may read, encrypted under one pass phrase.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// How many signatures a block needs (M, more than half of N).
    #[arg(short = 'm', long)]
    pub(crate) threshold: u8,
    /// How many keys there are (N, at most 20).
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) keys: u8,
    /// Whose address prefixes and settings to use.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// The folder for the key files, made if missing.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Where the pass phrase comes from: prompt, file:PATH, fd:NUMBER, env:NAME or credential:NAME.
    #[arg(long, default_value = "prompt", conflicts_with_all = ["insecure_plain", "insecure_print"])]
    pub(crate) passphrase: SecretSource,
    /// Write the key files without a pass phrase: whoever reads the disk has the keys.
    #[arg(long, conflicts_with = "insecure_print")]
    pub(crate) insecure_plain: bool,
    /// Print the secret keys and write no files: they stay on the screen and in its history.
    #[arg(long)]
    pub(crate) insecure_print: bool,
    /// Keep the keys in the order in which they were made, not that of BIP 67.
    #[arg(long)]
    pub(crate) unsorted: bool,
    /// Accept a threshold of half the keys or fewer, with which the chain can fork.
    #[arg(long)]
    pub(crate) insecure_minority: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
