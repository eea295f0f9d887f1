//! The arguments of `multisig hsm`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use federation_signer::{KeySelector, SecretSource, TokenSelector};

use crate::cli::NetworkArg;

/// Keeps keys in hardware modules, through PKCS#11.
///
/// A token is selected by label:NAME, serial:NUMBER or slot:NUMBER, a key by label:NAME or id:HEX.
/// PINs are never taken from the command line: `--pin` names their source: prompt, file:PATH,
/// fd:NUMBER, env:NAME or credential:NAME. If a token has its own PIN pad, there is no prompt.
#[derive(Debug, Args)]
pub(crate) struct HsmArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: HsmCommand,
}

/// The verbs of `multisig hsm`.
#[derive(Debug, Subcommand)]
pub(crate) enum HsmCommand {
    /// List the tokens of a module, or the keys of a token.
    List(ListArgs),
    /// Initialise an empty token.
    InitToken(InitTokenArgs),
    /// Make a key in a token, and show its public half.
    Keygen(KeygenArgs),
    /// Show the public half of a key.
    Pubkey(PubkeyArgs),
    /// Import an existing key into a token.
    Import(HsmImportArgs),
    /// Test a key by signing with it, and measure how long that takes.
    Test(TestArgs),
}

/// The module.
#[derive(Debug, Args)]
pub(crate) struct ModuleArgs {
    /// The module's shared library, for example /usr/lib/softhsm/libsofthsm2.so.
    #[arg(long, env = "PKCS11_MODULE", value_name = "PATH")]
    pub(crate) module: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The token and its user PIN.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The module.
    #[command(flatten)]
    pub(crate) module: ModuleArgs,
    /// The token: label:NAME, serial:NUMBER or slot:NUMBER.
    #[arg(long, env = "PKCS11_TOKEN")]
    pub(crate) token: TokenSelector,
    /// The source of the user PIN.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// Lists the tokens of a module, or with `--token` the keys in a token.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The module.
    #[command(flatten)]
    pub(crate) module: ModuleArgs,
    /// List the keys of this token.
    #[arg(long)]
    pub(crate) token: Option<TokenSelector>,
    /// The source of the token's user PIN.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// Initialises an empty token with a label, a security officer PIN and a user PIN. A token that holds
/// anything, or might, is never touched.
#[derive(Debug, Args)]
pub(crate) struct InitTokenArgs {
    /// The module.
    #[command(flatten)]
    pub(crate) module: ModuleArgs,
    /// The new label, at most 32 bytes.
    #[arg(long)]
    pub(crate) label: String,
    /// The slot [default: the first with an empty token].
    #[arg(long)]
    pub(crate) slot: Option<u64>,
    /// The source of the security officer PIN.
    #[arg(long, default_value = "prompt")]
    pub(crate) so_pin: SecretSource,
    /// The source of the user PIN.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// The script for the chain's settings.
#[derive(Debug, Args)]
pub(crate) struct ToScriptArgs {
    /// Also print the M-of-N script of this key and the others, for `signblockscript`.
    #[arg(long, requires = "threshold")]
    pub(crate) script: bool,
    /// The number of signatures that the script requires (M).
    #[arg(short = 'm', long, requires = "script")]
    pub(crate) threshold: Option<u8>,
    /// The public key of another operator, compressed, in hex; repeat it for each.
    #[arg(long = "with", value_name = "KEY", requires = "script")]
    pub(crate) others: Vec<String>,
    /// Keep the order given, with this key last, instead of that of BIP 67.
    #[arg(long, requires = "script")]
    pub(crate) unsorted: bool,
    /// Accept a threshold of half the keys or fewer, with which a chain can fork.
    #[arg(long, requires = "script")]
    pub(crate) insecure_minority: bool,
}

/// Generates a key in a token: on secp256k1, for signing, sensitive and not extractable. Refuses a
/// label that is already in use. Prints the compressed public key.
#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// The token: label:NAME, serial:NUMBER or slot:NUMBER.
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// The label of the new key.
    #[arg(long)]
    pub(crate) label: String,
    /// The script.
    #[command(flatten)]
    pub(crate) to_script: ToScriptArgs,
}

/// Shows the compressed public half of a key.
#[derive(Debug, Args)]
pub(crate) struct PubkeyArgs {
    /// The token: label:NAME, serial:NUMBER or slot:NUMBER.
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// The key: label:NAME or id:HEX.
    #[arg(long)]
    pub(crate) key: KeySelector,
    /// The script.
    #[command(flatten)]
    pub(crate) to_script: ToScriptArgs,
}

/// Imports an existing key into a token, sensitive and not extractable. `keygen` is safer: its keys
/// have never been anywhere else.
#[derive(Debug, Args)]
pub(crate) struct HsmImportArgs {
    /// The token: label:NAME, serial:NUMBER or slot:NUMBER.
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// The label of the new key.
    #[arg(long)]
    pub(crate) label: String,
    /// The file with the key: a keystore, or plain hex or WIF; the standard input if not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Where the keystore's pass phrase comes from.
    #[arg(long, default_value = "prompt")]
    pub(crate) passphrase: SecretSource,
    /// Which chain a key in WIF belongs to.
    #[arg(long, value_enum, default_value = "elements")]
    pub(crate) network: NetworkArg,
}

/// Tests that the halves of a key belong together, by signatures that are valid for nothing else.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The token: label:NAME, serial:NUMBER or slot:NUMBER.
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// The key: label:NAME or id:HEX.
    #[arg(long)]
    pub(crate) key: KeySelector,
    /// Also check that the key is in this multisig script, in hex.
    #[arg(long, value_name = "HEX")]
    pub(crate) script: Option<String>,
    /// The number of signatures.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// The time limit for each; a number without a unit is in milliseconds.
    #[arg(long, default_value = "10s", value_parser = federation_cli::duration_or_millis)]
    pub(crate) timeout: Duration,
}
