//! The arguments of `multisig key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use federation_signer::{KeyRole, SecretSource};

use crate::cli::{NetworkArg, SecretForm};

/// Keeps secret keys in encrypted files.
///
/// A file holds one key, encrypted under a pass phrase and readable only by its owner (mode 0600). Its
/// head states the key's role and public half in clear text. Pass phrases and keys are never taken
/// from the command line: `--passphrase` names their source: prompt, file:PATH, fd:NUMBER, env:NAME
/// or credential:NAME.
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
    /// Write an existing key, in hex or WIF, to a new file.
    Import(ImportArgs),
    /// Print the secret key in a file.
    Export(ExportArgs),
    /// Change the pass phrase of a file.
    Passwd(PasswdArgs),
    /// Show the head of a file, which is clear text.
    Show(ShowArgs),
}

/// A new file and its pass phrase.
#[derive(Debug, Args)]
pub(crate) struct NewFileArgs {
    /// The file, which must not exist yet.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The role of the key: block, identity, reissuance or peg.
    #[arg(long, default_value = "block")]
    pub(crate) role: KeyRole,
    /// The source of the pass phrase.
    #[arg(long, default_value = "prompt", conflicts_with = "generate")]
    pub(crate) passphrase: SecretSource,
    /// Generate a pass phrase of 140 random bits and show it once.
    #[arg(long)]
    pub(crate) generate: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Makes a key and writes it to a new file.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// The new file.
    #[command(flatten)]
    pub(crate) to: NewFileArgs,
}

/// Writes an existing key to a new file.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The new file.
    #[command(flatten)]
    pub(crate) to: NewFileArgs,
    /// The file with the key, in hex or WIF, which only its owner may read [default: standard input].
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// The network of a key in WIF.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
}

/// Prints the secret key in a file.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// The format to print: the key stays on the screen and in its history.
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) insecure_print: SecretForm,
    /// The network for a key in WIF.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
    /// The source of the pass phrase.
    #[arg(long, default_value = "prompt")]
    pub(crate) passphrase: SecretSource,
}

/// Changes the pass phrase of a file. A crash leaves either the old or the new file, intact.
#[derive(Debug, Args)]
pub(crate) struct PasswdArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// The source of the current pass phrase.
    #[arg(long, default_value = "prompt")]
    pub(crate) passphrase: SecretSource,
    /// The source of the new pass phrase.
    #[arg(long, default_value = "prompt", conflicts_with = "generate")]
    pub(crate) new_passphrase: SecretSource,
    /// Generate a pass phrase of 140 random bits and show it once.
    #[arg(long)]
    pub(crate) generate: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Shows the head of a file, which is clear text that somebody may have altered: `--check` decrypts the
/// file and verifies it.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The file.
    pub(crate) file: PathBuf,
    /// Decrypt the file and verify its head.
    #[arg(long)]
    pub(crate) check: bool,
    /// The source of the pass phrase, for --check.
    #[arg(long, default_value = "prompt", requires = "check")]
    pub(crate) passphrase: SecretSource,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
