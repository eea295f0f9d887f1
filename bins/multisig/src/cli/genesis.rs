//! The arguments of `multisig genesis`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use federation_genesis::NodeKind;

/// Computes what chain a node's configuration makes, offline.
///
/// The configuration is read as the node reads it, and refused where the node would take it
/// otherwise than it seems to be meant. Custom chains only: `liquidv1` and its kind are fixed in
/// the node.
#[derive(Debug, Args)]
pub(crate) struct GenesisArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: GenesisCommand,
}

/// What can be done with genesis blocks.
#[derive(Debug, Subcommand)]
pub(crate) enum GenesisCommand {
    /// Show the genesis block, its assets and the parameters of block 1; refuse a chain that
    /// cannot live.
    Compute(ComputeArgs),
    /// Compare a running node with its configuration.
    Verify(VerifyArgs),
    /// Show in what two configurations differ.
    Diff(DiffArgs),
    /// Make the transaction that sweeps, in block 1, what anyone could spend.
    Sweep(SweepArgs),
}

/// A configuration and what belongs to it.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// Whose configuration it is.
    #[arg(long, value_enum)]
    pub(crate) node: NodeArg,
    /// The node's configuration file, elements.conf or ocean.conf.
    #[arg(long, value_name = "PATH")]
    pub(crate) conf: PathBuf,
    /// The node's data folder, where Ocean looks for terms-and-conditions [default: the folder of
    /// the configuration].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) datadir: Option<PathBuf>,
    /// A file with the transaction, in hex, that sweeps in block 1 what anyone could spend.
    #[arg(long, value_name = "PATH")]
    pub(crate) sweep: Option<PathBuf>,
    /// Accept initial coins that whoever makes block 1 can take.
    #[arg(long)]
    pub(crate) insecure_anyone_can_spend: bool,
}

/// The arguments of `multisig genesis compute`.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// The chain.
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    /// Show which setting went into which byte.
    #[arg(long, conflicts_with_all = ["manifest", "json"])]
    pub(crate) explain: bool,
    /// Show the manifest and nothing else: the text whose SHA-256 is the manifest hash.
    #[arg(long, conflicts_with = "json")]
    pub(crate) manifest: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The arguments of `multisig genesis verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The chain.
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    /// The node's URL, http://host:port, without a password.
    #[arg(long, value_name = "URL")]
    pub(crate) node_url: String,
    /// The node's cookie file.
    #[arg(long, value_name = "PATH", conflicts_with = "user")]
    pub(crate) cookie: Option<PathBuf>,
    /// The node's rpcuser.
    #[arg(long, requires = "password_file")]
    pub(crate) user: Option<String>,
    /// A file with the node's rpcpassword.
    #[arg(long, value_name = "PATH", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The arguments of `multisig genesis diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Whose configurations they are.
    #[arg(long, value_enum)]
    pub(crate) node: NodeArg,
    /// One configuration file; Ocean's terms are looked for beside it.
    pub(crate) left: PathBuf,
    /// The other.
    pub(crate) right: PathBuf,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Makes the one transaction that takes the initial coins and tokens of an Elements chain, which
/// anyone could take, to output scripts in hex, those of addresses. All operators put it into
/// `federation.toml` as `sweep`, and make no block 1 without it.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// The node's configuration file, elements.conf.
    #[arg(long, value_name = "PATH")]
    pub(crate) conf: PathBuf,
    /// Where the coins of `initialfreecoins` go.
    #[arg(long, value_name = "SCRIPT")]
    pub(crate) coins: Option<String>,
    /// Where the tokens of `initialreissuancetokens` go.
    #[arg(long, value_name = "SCRIPT")]
    pub(crate) tokens: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Families of nodes on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NodeArg {
    /// Elements 23.
    Elements,
    /// Ocean.
    Ocean,
}

impl From<NodeArg> for NodeKind {
    fn from(arg: NodeArg) -> Self {
        match arg {
            NodeArg::Elements => Self::Elements,
            NodeArg::Ocean => Self::Ocean,
        }
    }
}
