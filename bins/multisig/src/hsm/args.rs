//! The arguments of `multisig hsm`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use federation_signer::{KeySelector, SecretSource, TokenSelector};

use crate::cli::NetworkArg;

/// Keeps keys in hardware modules, by PKCS#11.
///
/// A token is chosen by label:NAME, serial:NUMBER or slot:NUMBER, a key by label:NAME or id:HEX.
/// PINs never come from the command line: `--pin` says where from: prompt, file:PATH, fd:NUMBER,
/// env:NAME or credential:NAME. A token with a PIN pad of its own is not asked for at a prompt.
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
    /// Put a key that exists into a token.
    Import(HsmImportArgs),
    /// Have a key sign, and say how long it takes.
    Test(TestArgs),
}

/// Which module.
#[derive(Debug, Args)]
pub(crate) struct ModuleArgs {
    /// The module's shared library, for example /usr/lib/softhsm/libsofthsm2.so.
    #[arg(long, env = "PKCS11_MODULE", value_name = "PATH")]
    pub(crate) module: PathBuf,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which token, and its user's PIN.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Which module.
    #[command(flatten)]
    pub(crate) module: ModuleArgs,
    /// Which token.
    #[arg(long, env = "PKCS11_TOKEN")]
    pub(crate) token: TokenSelector,
    /// Where the user PIN comes from.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// Lists the tokens of a module, or with `--token` the keys of a token.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Which module.
    #[command(flatten)]
    pub(crate) module: ModuleArgs,
    /// List the keys of this token.
    #[arg(long)]
    pub(crate) token: Option<TokenSelector>,
    /// Where the token's user PIN comes from.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// Initialises an empty token with a label, a security officer's PIN and a user's PIN. A token that
/// holds anything, or may, is never touched.
#[derive(Debug, Args)]
pub(crate) struct InitTokenArgs {
    /// Which module.
    #[command(flatten)]
    pub(crate) module: ModuleArgs,
    /// The new label, at most 32 bytes.
    #[arg(long)]
    pub(crate) label: String,
    /// The slot; the first with an empty token if not given.
    #[arg(long)]
    pub(crate) slot: Option<u64>,
    /// Where the security officer's PIN comes from.
    #[arg(long, default_value = "prompt")]
    pub(crate) so_pin: SecretSource,
    /// Where the user PIN comes from.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// The script to put into the chain's settings.
#[derive(Debug, Args)]
pub(crate) struct ToScriptArgs {
    /// Print the M-of-N script of this key and the others too, for `signblockscript`.
    #[arg(long, requires = "threshold")]
    pub(crate) script: bool,
    /// How many signatures the script asks for (M).
    #[arg(short = 'm', long, requires = "script")]
    pub(crate) threshold: Option<u8>,
    /// The public key of another operator, compressed, in hex; once for each.
    #[arg(long = "with", value_name = "KEY", requires = "script")]
    pub(crate) others: Vec<String>,
    /// Keep the order given, with this key last, not that of BIP 67.
    #[arg(long, requires = "script")]
    pub(crate) unsorted: bool,
    /// Accept a threshold of half the keys or fewer, with which a chain can fork.
    #[arg(long, requires = "script")]
    pub(crate) insecure_minority: bool,
}

/// Makes a key in a token: on secp256k1, for signing, sensitive and not extractable. Refuses a label
/// that is taken. The answer is the compressed public key.
#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// Which token.
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
    /// Which token.
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// Which key.
    #[arg(long)]
    pub(crate) key: KeySelector,
    /// The script.
    #[command(flatten)]
    pub(crate) to_script: ToScriptArgs,
}

/// Puts a key that exists into a token, sensitive and not extractable. Better is `keygen`: a key
/// that was never anywhere else.
#[derive(Debug, Args)]
pub(crate) struct HsmImportArgs {
    /// Which token.
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

/// Has a key prove that its halves belong together, by signatures that are good for nothing else.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Which token.
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// Which key.
    #[arg(long)]
    pub(crate) key: KeySelector,
    /// Check too that the key stands in this multisig script, in hex.
    #[arg(long, value_name = "HEX")]
    pub(crate) script: Option<String>,
    /// How many signatures.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// How long one may take; a number without a unit is in milliseconds.
    #[arg(long, default_value = "10s", value_parser = federation_cli::duration_or_millis)]
    pub(crate) timeout: Duration,
}
