//! The arguments of `multisig key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use federation_signer::{KeyRole, SecretSource};

use crate::cli::{NetworkArg, SecretForm};

/// Keeps secret keys in encrypted files.
///
/// A file holds one key under a pass phrase, for its owner only (mode 0600). Its head says in clear
/// text what the key is for and its public half. Pass phrases and keys never come from the command
/// line: `--passphrase` says where from: prompt, file:PATH, fd:NUMBER, env:NAME or credential:NAME.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

/// The verbs of `multisig key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and write it to a new file.
    New(NewKeyArgs),
    /// Put a key that exists, as hex or WIF, into a new file.
    Import(ImportArgs),
    /// Print the secret key in a file.
    Export(ExportArgs),
    /// Put a file under another pass phrase.
    Passwd(PasswdArgs),
    /// Show what a file says in clear text.
    Show(ShowArgs),
}

/// A new file and its pass phrase.
#[derive(Debug, Args)]
pub(crate) struct NewFileArgs {
    /// The file, which must not exist yet.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What the key is for: block, identity, reissuance or peg.
    #[arg(long, default_value = "block")]
    pub(crate) role: KeyRole,
    /// Where the pass phrase comes from.
    #[arg(long, default_value = "prompt", conflicts_with = "generate")]
    pub(crate) passphrase: SecretSource,
    /// Make a pass phrase of 140 random bits and show it, this once.
    #[arg(long)]
    pub(crate) generate: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Makes a key and writes it to a new file.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// Where to.
    #[command(flatten)]
    pub(crate) to: NewFileArgs,
}

/// Puts a key that exists into a new file.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Where to.
    #[command(flatten)]
    pub(crate) to: NewFileArgs,
    /// The file with the key, as hex or WIF, which only its owner may read; the standard input if
    /// not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Which chain a key in WIF belongs to.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
}

/// Prints the secret key in a file.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// In which form: it stays on the screen and in its history.
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) insecure_print: SecretForm,
    /// Which chain a key in WIF is for.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// Where the pass phrase comes from.
    #[arg(long, default_value = "prompt")]
    pub(crate) passphrase: SecretSource,
}

/// Puts a file under another pass phrase. A crash leaves the old file or the new one, both whole.
#[derive(Debug, Args)]
pub(crate) struct PasswdArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// Where the pass phrase comes from.
    #[arg(long, default_value = "prompt")]
    pub(crate) passphrase: SecretSource,
    /// Where the new pass phrase comes from.
    #[arg(long, default_value = "prompt", conflicts_with = "generate")]
    pub(crate) new_passphrase: SecretSource,
    /// Make a pass phrase of 140 random bits and show it, this once.
    #[arg(long)]
    pub(crate) generate: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Shows what a file says in clear text, which is true only if nobody has changed it: `--check`
/// opens the file and finds out.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// Open the file and check that its head is true.
    #[arg(long)]
    pub(crate) check: bool,
    /// Where the pass phrase comes from, for --check.
    #[arg(long, default_value = "prompt", requires = "check")]
    pub(crate) passphrase: SecretSource,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
