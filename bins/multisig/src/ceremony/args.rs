//! The arguments of `multisig ceremony`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use federation_signer::SecretSource;

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
    Init(InitArgs),
    /// Join with the public keys of your key files, and prove that you hold them.
    Join(JoinArgs),
    /// Take others' messages into your folder, once they are checked.
    Add(AddArgs),
    /// Show who has done what, and what to do next.
    Status(FolderArgs),
    /// Agree to the chain, once the words were compared by voice.
    Approve(ApproveArgs),
    /// Make the certificate of everybody's approvals.
    Finish(FolderArgs),
    /// Check a certificate, offline.
    Verify(CertificateArgs),
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
    /// Where the pass phrase of your key files comes from: prompt, file:PATH, fd:NUMBER, env:NAME
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
    /// The seconds from one block to the next.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) interval: u64,
    /// Who takes part, you too, in the order of the roster: name and public identity key.
    #[arg(long = "member", value_name = "NAME=KEY", required = true)]
    pub(crate) members: Vec<String>,
    /// Make `fedpegscript` of a peg key of each.
    #[arg(long)]
    pub(crate) peg: bool,
    /// Make Ocean's `issuecontrolscript` of a reissuance key of each.
    #[arg(long)]
    pub(crate) reissuance: bool,
    /// Who you are.
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
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
    /// Your key that signs blocks.
    #[arg(long, value_name = "FILE")]
    pub(crate) block_key: PathBuf,
    /// Your key of the peg, if the proposal asks for one.
    #[arg(long, value_name = "FILE")]
    pub(crate) peg_key: Option<PathBuf>,
    /// Your key that reissues assets, if the proposal asks for one.
    #[arg(long, value_name = "FILE")]
    pub(crate) reissuance_key: Option<PathBuf>,
    /// Where your messenger will be reached.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) endpoint: String,
    /// Where your node will be reached by other nodes.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) node_address: String,
}

/// Takes messages.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Where to.
    #[command(flatten)]
    pub(crate) at: FolderArgs,
    /// The files that others sent.
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

/// A certificate.
#[derive(Debug, Args)]
pub(crate) struct CertificateArgs {
    /// The file.
    #[arg(value_name = "FILE", default_value = "ceremony/certificate.json")]
    pub(crate) file: PathBuf,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
