//! The arguments of `multisig ceremony`.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};
use federation_ceremony::{Destination, KeyUse};
use federation_signer::{KeySelector, SecretSource, TokenSelector};

use super::folder::CERTIFICATE;
use crate::cli::NodeArg;

/// Makes a chain together: every party on its own machine, with its own keys.
///
/// Messages are files in a folder. Send each other the files by mail, stick or git: whoever carries
/// them can delay them, not change them. No verb takes another party's secret.
#[derive(Debug, Args)]
pub(crate) struct CeremonyArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: CeremonyCommand,
}

/// The verbs of `multisig ceremony`.
#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Propose a chain and who makes it.
    Init(Box<InitArgs>),
    /// Propose the chain of another ceremony anew, without who dropped out.
    Again(AgainArgs),
    /// Join with the public halves of your keys, and prove that you hold them.
    Join(Box<JoinArgs>),
    /// Take others' messages into your folder, once they are checked.
    Add(AddArgs),
    /// Show who has done what, and what you have to do next.
    Status(StatusArgs),
    /// Show in plain words what you are about to sign.
    Show(ShowArgs),
    /// Show the words to compare by voice, for each step.
    Words(FolderArgs),
    /// Show in what another party's folder, or file, differs from yours.
    Diff(DiffArgs),
    /// Check the proof that a party has said two things, offline.
    Evidence(EvidenceArgs),
    /// Agree to the chain, once the words were compared by voice.
    Approve(ApproveArgs),
    /// Make the certificate of everybody's approvals.
    Finish(FolderArgs),
    /// Check a certificate, offline.
    Verify(VerifyArgs),
    /// Make what one operator needs to start, as a zip without secrets.
    Bundle(crate::bundle::BundleArgs),
}

/// The folder of a ceremony.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder with the messages.
    #[arg(long, value_name = "FOLDER", default_value = "ceremony")]
    pub(crate) folder: PathBuf,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whose identity speaks.
#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// Your identity key: a file of `multisig key new --role identity`, or a plain key file.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_key: PathBuf,
    /// Where the pass phrase of the key file comes from: prompt, file:PATH, fd:NUMBER, env:NAME
    /// or credential:NAME.
    #[arg(long, default_value = "prompt")]
    pub(crate) passphrase: SecretSource,
}

/// Proposes a chain.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where to.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// Whose configuration it is.
    #[arg(long, value_enum)]
    pub(crate) node: NodeArg,
    /// A node's configuration with the chain's settings, without those that follow from the keys.
    #[arg(long, value_name = "PATH")]
    pub(crate) conf: PathBuf,
    /// The folder with Ocean's terms-and-conditions [default: the folder of the configuration].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) datadir: Option<PathBuf>,
    /// M: how many sign a block.
    #[arg(short = 'm', long)]
    pub(crate) threshold: u8,
    /// The time from one block to the next, up to a day; a number without a unit is in seconds.
    #[arg(long, default_value = "60s", value_parser = federation_cli::duration)]
    pub(crate) interval: std::time::Duration,
    /// Who takes part, you too, in the order of the roster: name and public identity key.
    #[arg(long = "member", value_name = "NAME=KEY", required = true)]
    pub(crate) members: Vec<String>,
    /// Make `fedpegscript` of a peg key of each.
    #[arg(long)]
    pub(crate) peg: bool,
    /// Make Ocean's `issuecontrolscript` of a reissuance key of each; on Elements, pay to them.
    #[arg(long)]
    pub(crate) reissuance: bool,
    /// Where the coins of `initialfreecoins` go, which anyone could take else: `block-keys`,
    /// `peg-keys` or `reissuance-keys` (M of N of the parties'), or an output script in hex
    /// [default: block-keys, or what Ocean's initialfreecoinsdestination says].
    #[arg(long, alias = "sweep-coins", value_name = "TO")]
    pub(crate) coins_to: Option<SweepArg>,
    /// Where the tokens of `initialreissuancetokens` go, likewise.
    #[arg(long, alias = "sweep-tokens", value_name = "TO")]
    pub(crate) tokens_to: Option<SweepArg>,
    /// Where every block pays its fees (`con_mandatorycoinbase`), likewise, or `anyone`
    /// [default: block-keys, or what the configuration says].
    #[arg(long, value_name = "TO")]
    pub(crate) fees_to: Option<FeesArg>,
    /// Who you are.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Proposes the chain of another ceremony anew: the same settings, and the members who are left.
/// Nothing that anybody said before counts; all join again, with the same keys if they like.
#[derive(Debug, Args)]
pub(crate) struct AgainArgs {
    /// Where to: a new folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The folder of the ceremony that came to nothing.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) from: PathBuf,
    /// Who is left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) without: Vec<String>,
    /// M: how many sign a block, if not as many as before.
    #[arg(short = 'm', long)]
    pub(crate) threshold: Option<u8>,
    /// Who you are.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Where coins go.
#[derive(Debug, Clone)]
pub(crate) struct SweepArg(pub(crate) Destination);

impl FromStr for SweepArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "block-keys" => Ok(Self(Destination::Keys(KeyUse::Block))),
            "peg-keys" => Ok(Self(Destination::Keys(KeyUse::Peg))),
            "reissuance-keys" => Ok(Self(Destination::Keys(KeyUse::Reissuance))),
            hex if !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit()) => {
                Ok(Self(Destination::Script(hex.to_ascii_lowercase())))
            }
            _ => Err(
                "write block-keys, peg-keys, reissuance-keys, or an output script in hex"
                    .to_owned(),
            ),
        }
    }
}

/// Where fees go; none for anyone.
#[derive(Debug, Clone)]
pub(crate) struct FeesArg(pub(crate) Option<Destination>);

impl FromStr for FeesArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "anyone" {
            return Ok(Self(None));
        }
        let to: SweepArg = text
            .parse()
            .map_err(|error| format!("{error}; `anyone` leaves them to who takes them first"))?;
        Ok(Self(Some(to.0)))
    }
}

/// Joins.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// Where.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// Who you are.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// Your keys.
    #[command(flatten)]
    pub(crate) keys: OwnKeysArgs,
    /// Your hardware module.
    #[command(flatten)]
    pub(crate) hsm: HsmKeyArgs,
    /// Where your messenger will be reached.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) endpoint: String,
    /// Where your node will be reached by other nodes.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) node_address: String,
}

/// The keys that one joins with, each in a file or in a hardware module.
#[derive(Debug, Args)]
pub(crate) struct OwnKeysArgs {
    /// Your key that signs blocks: an encrypted key file or a plain one.
    #[arg(long, value_name = "FILE", required_unless_present = "block_hsm_key")]
    pub(crate) block_key: Option<PathBuf>,
    /// Where the pass phrase of these files comes from [default: where that of your identity key
    /// comes from].
    #[arg(long, value_name = "SOURCE")]
    pub(crate) keys_passphrase: Option<SecretSource>,
    /// Your key that signs blocks, in the module: label:NAME or id:HEX.
    #[arg(long, value_name = "KEY", conflicts_with = "block_key")]
    pub(crate) block_hsm_key: Option<KeySelector>,
    /// Your key of the peg, if the proposal asks for one.
    #[arg(long, value_name = "FILE")]
    pub(crate) peg_key: Option<PathBuf>,
    /// Your key of the peg, in the module.
    #[arg(long, value_name = "KEY", conflicts_with = "peg_key")]
    pub(crate) peg_hsm_key: Option<KeySelector>,
    /// Your key that reissues assets, if the proposal asks for one.
    #[arg(long, value_name = "FILE")]
    pub(crate) reissuance_key: Option<PathBuf>,
    /// Your key that reissues assets, in the module.
    #[arg(long, value_name = "KEY", conflicts_with = "reissuance_key")]
    pub(crate) reissuance_hsm_key: Option<KeySelector>,
}

/// The token in which one's keys are, if any are in one.
#[derive(Debug, Args)]
pub(crate) struct HsmKeyArgs {
    /// The module's shared library, for example /usr/lib/softhsm/libsofthsm2.so.
    #[arg(long, env = "PKCS11_MODULE", value_name = "PATH")]
    pub(crate) module: Option<PathBuf>,
    /// Which token: label:NAME, serial:NUMBER or slot:NUMBER.
    #[arg(long, env = "PKCS11_TOKEN")]
    pub(crate) token: Option<TokenSelector>,
    /// Where the token's user PIN comes from: prompt, file:PATH, fd:NUMBER, env:NAME or
    /// credential:NAME.
    #[arg(long, default_value = "prompt", env = "PKCS11_PIN_SOURCE")]
    pub(crate) pin: SecretSource,
}

/// Compares.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Your folder.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The other party's folder, or a certificate.
    #[arg(value_name = "OTHER")]
    pub(crate) other: PathBuf,
}

/// Evidence.
#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Takes messages.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Where to.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The files that others sent, or folders of them: messages, a certificate, evidence.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Agrees.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// Where.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// Who you are.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// The twelve words, as the others read them to you.
    #[arg(long)]
    pub(crate) words: String,
}

/// Shows who has done what. Who you are is found out from your identity key: the one that you used
/// in this folder, or an encrypted key file there, in the folder above, or where you work. No pass
/// phrase is asked for.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Where.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// Your identity key, if it is not found.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_key: Option<PathBuf>,
}

/// Shows what an approval is of: who signs and what that means, keys, scripts, the chain's settings,
/// where coins and fees go, the words. Before all have joined it shows what is known so far.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Where.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The folder, or the certificate, of an earlier ceremony: show what has changed since.
    #[arg(long, value_name = "EARLIER")]
    pub(crate) since: Option<PathBuf>,
    /// Show the settings, too, that are the nodes' defaults.
    #[arg(long)]
    pub(crate) all: bool,
    /// Show the manifest itself, whose SHA-256 all approve, and nothing else.
    #[arg(long, conflicts_with_all = ["since", "all", "json"])]
    pub(crate) manifest: bool,
}

/// Checks a certificate: every signature, every proof, and the chain.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) certificate: CertificateArgs,
    /// The answer as JSON.
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
    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        let in_folder = || self.folder.join(CERTIFICATE);
        self.file.clone().unwrap_or_else(in_folder)
    }
}
