//! The arguments of `multisig ceremony`.

use std::{convert::Infallible, path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};
use federation_ceremony::{Destination, KeyUse};
use federation_cli::CliError;
use federation_multisig::Network;
use federation_signer::{KeySelector, SecretSource, TokenSelector};
use hex_conservative::DisplayHex;

use super::folder::CERTIFICATE;
use crate::{cli::NodeArg, input};

/// Sets up a chain together: every party on its own machine, with its own keys.
///
/// Messages are files in a folder. Send each other the files by mail, USB stick or git: whoever
/// carries them can delay them, but not change them. No verb takes another party's secret.
#[derive(Debug, Args)]
pub(crate) struct CeremonyArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: CeremonyCommand,
}

/// The verbs of `multisig ceremony`.
#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Propose a chain and its members.
    Init(Box<InitArgs>),
    /// Propose the chain of another ceremony again, without those who dropped out.
    Again(AgainArgs),
    /// Join with the public halves of your keys, and prove that you hold them.
    Join(Box<JoinArgs>),
    /// Verify messages by others and add them to your folder.
    Add(AddArgs),
    /// Show who has done what, and what you have to do next.
    Status(StatusArgs),
    /// Show in plain words what you are about to sign.
    Show(ShowArgs),
    /// Show the words of each step, to compare by voice.
    Words(FolderArgs),
    /// Show the differences between your folder and another party's folder or certificate.
    Diff(DiffArgs),
    /// Verify, offline, the proof that a party has signed conflicting messages.
    Evidence(EvidenceArgs),
    /// Approve the chain, once the words have been compared by voice.
    Approve(ApproveArgs),
    /// Make the certificate from the approvals of all members.
    Finish(FolderArgs),
    /// Verify a certificate, offline.
    Verify(VerifyArgs),
    /// Make a zip, without secrets, with everything that one operator needs to start.
    Bundle(crate::bundle::BundleArgs),
}

/// The folder of a ceremony.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder with the messages.
    #[arg(long, value_name = "FOLDER", default_value = "ceremony")]
    pub(crate) folder: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The identity that signs messages.
#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// Your identity key: a file by `multisig key new --role identity`, or a plain key file.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_key: PathBuf,
    /// The source of the pass phrase of the key file: prompt, file:PATH, fd:NUMBER, env:NAME or
    /// credential:NAME.
    #[arg(long, default_value = "prompt")]
    pub(crate) passphrase: SecretSource,
}

/// Proposes a chain and its members.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The kind of node that the configuration is for.
    #[arg(long, value_enum)]
    pub(crate) node: NodeArg,
    /// A node's configuration with the chain's settings, without those that follow from the keys.
    #[arg(long, value_name = "PATH")]
    pub(crate) conf: PathBuf,
    /// The folder with Ocean's terms-and-conditions [default: the folder of the configuration].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) datadir: Option<PathBuf>,
    /// M: the number of signatures that a block needs.
    #[arg(short = 'm', long)]
    pub(crate) threshold: u8,
    /// The block interval, up to a day; a number without a unit is in seconds.
    #[arg(long, default_value = "60s", value_parser = federation_cli::duration)]
    pub(crate) interval: std::time::Duration,
    /// A member, including yourself, by name and public identity key; repeat it in the order of the
    /// roster.
    #[arg(long = "member", value_name = "NAME=KEY", required = true)]
    pub(crate) members: Vec<String>,
    /// Require a peg key of each member, for `fedpegscript`.
    #[arg(long)]
    pub(crate) peg: bool,
    /// Require a reissuance key of each member, for Ocean's `issuecontrolscript`, or on Elements as a
    /// destination.
    #[arg(long)]
    pub(crate) reissuance: bool,
    /// The destination of the coins of `initialfreecoins`, which anyone could otherwise take:
    /// `block-keys`, `peg-keys` or `reissuance-keys` (M of N of the members' keys), an address of the
    /// chain, or an output script in hex [default: block-keys, or Ocean's initialfreecoinsdestination
    /// if it is set].
    #[arg(long, alias = "sweep-coins", value_name = "TO")]
    pub(crate) coins_to: Option<SweepArg>,
    /// The destination of the tokens of `initialreissuancetokens`, likewise.
    #[arg(long, alias = "sweep-tokens", value_name = "TO")]
    pub(crate) tokens_to: Option<SweepArg>,
    /// The destination of the fees of every block (`con_mandatorycoinbase`), likewise, or `anyone`
    /// [default: block-keys, or the configuration's setting].
    #[arg(long, value_name = "TO")]
    pub(crate) fees_to: Option<FeesArg>,
    /// Your identity.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Proposes the chain of another ceremony again, with the same settings and the remaining members.
/// Earlier messages do not count: all members join again, with the same keys if they like.
#[derive(Debug, Args)]
pub(crate) struct AgainArgs {
    /// The new folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The folder of the abandoned ceremony.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) from: PathBuf,
    /// A member to leave out.
    #[arg(long, value_name = "NAME")]
    pub(crate) without: Vec<String>,
    /// M: the number of signatures that a block needs [default: as before].
    #[arg(short = 'm', long)]
    pub(crate) threshold: Option<u8>,
    /// Your identity.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// A destination of coins.
#[derive(Debug, Clone)]
pub(crate) enum SweepArg {
    /// The members' keys for a use.
    Keys(KeyUse),
    /// An address or output script, which only the chain's settings can tell apart.
    Text(String),
}

impl FromStr for SweepArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "block-keys" => Self::Keys(KeyUse::Block),
            "peg-keys" => Self::Keys(KeyUse::Peg),
            "reissuance-keys" => Self::Keys(KeyUse::Reissuance),
            text => Self::Text(text.to_owned()),
        })
    }
}

impl SweepArg {
    /// Returns the destination on a chain with these address prefixes.
    pub(crate) fn destination(&self, network: &Network) -> Result<Destination, CliError> {
        match self {
            Self::Keys(usage) => Ok(Destination::Keys(*usage)),
            Self::Text(text) => {
                let script = input::output_script(text, network)?;
                Ok(Destination::Script(script.to_lower_hex_string()))
            }
        }
    }
}

/// A destination of fees; none for anyone.
#[derive(Debug, Clone)]
pub(crate) struct FeesArg(pub(crate) Option<SweepArg>);

impl FromStr for FeesArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == "anyone" {
            return Ok(Self(None));
        }
        Ok(Self(Some(text.parse()?)))
    }
}

/// Joins with the public halves of your keys, and proves that you hold them.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// Your identity.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// Your keys.
    #[command(flatten)]
    pub(crate) keys: OwnKeysArgs,
    /// Your hardware module.
    #[command(flatten)]
    pub(crate) hsm: HsmKeyArgs,
    /// The address at which your messenger will be reachable.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) endpoint: String,
    /// The address at which your node will be reachable for other nodes.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) node_address: String,
}

/// The keys to join with, each in a file or in a hardware module.
#[derive(Debug, Args)]
pub(crate) struct OwnKeysArgs {
    /// Your block key: an encrypted key file or a plain one.
    #[arg(long, value_name = "FILE", required_unless_present = "block_hsm_key")]
    pub(crate) block_key: Option<PathBuf>,
    /// The source of the pass phrase of these files [default: the source for your identity key].
    #[arg(long, value_name = "SOURCE")]
    pub(crate) keys_passphrase: Option<SecretSource>,
    /// Your block key, in the module: label:NAME or id:HEX.
    #[arg(long, value_name = "KEY", conflicts_with = "block_key")]
    pub(crate) block_hsm_key: Option<KeySelector>,
    /// Your peg key, if the proposal requires one.
    #[arg(long, value_name = "FILE")]
    pub(crate) peg_key: Option<PathBuf>,
    /// Your peg key, in the module.
    #[arg(long, value_name = "KEY", conflicts_with = "peg_key")]
    pub(crate) peg_hsm_key: Option<KeySelector>,
    /// Your reissuance key, if the proposal requires one.
    #[arg(long, value_name = "FILE")]
    pub(crate) reissuance_key: Option<PathBuf>,
    /// Your reissuance key, in the module.
    #[arg(long, value_name = "KEY", conflicts_with = "reissuance_key")]
    pub(crate) reissuance_hsm_key: Option<KeySelector>,
}

/// The token that holds keys, if any are in one.
#[derive(Debug, Args)]
pub(crate) struct HsmKeyArgs {
    /// The module's shared library, for example /usr/lib/softhsm/libsofthsm2.so.
    #[arg(long, env = "PKCS11_MODULE", value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,
    /// The token: label:NAME, serial:NUMBER or slot:NUMBER.
    #[arg(long, env = "PKCS11_TOKEN")]
    pub(crate) token: Option<TokenSelector>,
    /// The source of the token's user PIN: prompt, file:PATH, fd:NUMBER, env:NAME or credential:NAME.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// Shows the differences between your folder and another party's folder or certificate.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Your folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The other party's folder, or a certificate.
    #[arg(value_name = "OTHER")]
    pub(crate) other: PathBuf,
}

/// Verifies, offline, the proof that a party has signed conflicting messages.
#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Verifies messages by others and adds them to your folder.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The files sent by others, or folders of them: messages, a certificate, evidence.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Approves the chain, once the words have been compared by voice.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// Your identity.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// The twelve words, as the others read them to you.
    #[arg(long)]
    pub(crate) words: String,
}

/// Shows who has done what, and what you have to do next. You are recognised by your identity key: the
/// one last used in this folder, or an encrypted key file in it, in its parent folder or in the current
/// folder. No pass phrase is needed.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// Your identity key, if it is not found.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_key: Option<PathBuf>,
}

/// Shows what an approval covers: who signs and what that means, keys, scripts, the chain's settings,
/// the destinations of coins and fees, the words. Until all have joined, it shows what is known so far.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The folder or certificate of an earlier ceremony: show what has changed since then.
    #[arg(long, value_name = "EARLIER")]
    pub(crate) since: Option<PathBuf>,
    /// Also show the settings that have the nodes' defaults.
    #[arg(long)]
    pub(crate) all: bool,
    /// Show only the manifest itself, whose SHA-256 all members approve.
    #[arg(long, conflicts_with_all = ["since", "all", "json"])]
    pub(crate) manifest: bool,
}

/// Verifies a certificate: every signature, every proof, and the chain.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The certificate.
    #[command(flatten)]
    pub(crate) certificate: CertificateArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A certificate.
#[derive(Debug, Args)]
pub(crate) struct CertificateArgs {
    /// The file [default: the certificate in the folder].
    #[arg(value_name = "FILE", conflicts_with = "folder")]
    file: Option<PathBuf>,
    /// The folder of the ceremony.
    #[arg(long, value_name = "FOLDER", default_value = "ceremony")]
    folder: PathBuf,
}

impl CertificateArgs {
    /// The path of the certificate.
    pub(crate) fn path(&self) -> PathBuf {
        let in_folder = || self.folder.join(CERTIFICATE);
        self.file.clone().unwrap_or_else(in_folder)
    }
}
