//! The arguments of `multisig genesis`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use federation_genesis::NodeKind;

/// Computes, offline, the chain that a node's configuration defines.
///
/// The configuration is read as the node reads it, and refused if the node would interpret it
/// differently from what it appears to say. Only custom chains are supported: `liquidv1` and the
/// like are built into the node.
#[derive(Debug, Args)]
pub(crate) struct GenesisArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: GenesisCommand,
}

/// The verbs of `multisig genesis`.
#[derive(Debug, Subcommand)]
pub(crate) enum GenesisCommand {
    /// Show the genesis block, its assets and the parameters of block 1; refuse a chain that could
    /// not work.
    Compute(ComputeArgs),
    /// Compare a running node with its configuration.
    Verify(VerifyArgs),
    /// Show the differences between two configurations.
    Diff(DiffArgs),
    /// Make the transaction that sweeps, in block 1, the coins that anyone could spend.
    Sweep(SweepArgs),
}

/// A configuration and the files that belong to it.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// The kind of node that the configuration is for.
    #[arg(long, value_enum)]
    pub(crate) node: NodeArg,
    /// The node's configuration file, elements.conf or ocean.conf.
    #[arg(long, value_name = "PATH")]
    pub(crate) conf: PathBuf,
    /// The node's data folder, where Ocean looks for terms-and-conditions [default: the folder of
    /// the configuration].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) datadir: Option<PathBuf>,
    /// A file with the transaction, in hex, that sweeps in block 1 the coins that anyone could spend.
    #[arg(long, value_name = "PATH")]
    pub(crate) sweep: Option<PathBuf>,
    /// Accept initial coins that the maker of block 1 can take.
    #[arg(long)]
    pub(crate) insecure_anyone_can_spend: bool,
}

/// The arguments of `multisig genesis compute`.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// The chain.
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    /// Show the setting that each byte comes from.
    #[arg(long, conflicts_with_all = ["manifest", "json"])]
    pub(crate) explain: bool,
    /// Show only the manifest: the text whose SHA-256 is the manifest hash.
    #[arg(long, conflicts_with = "json")]
    pub(crate) manifest: bool,
    /// Print JSON.
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
    /// The node's `rpcuser`.
    #[arg(long, requires = "password_file")]
    pub(crate) user: Option<String>,
    /// A file with the node's `rpcpassword`.
    #[arg(long, value_name = "PATH", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The arguments of `multisig genesis diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The kind of node that the configurations are for.
    #[arg(long, value_enum)]
    pub(crate) node: NodeArg,
    /// The first configuration file; Ocean's terms are expected in the same folder.
    pub(crate) left: PathBuf,
    /// The second configuration file.
    pub(crate) right: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Makes the transaction that moves the initial coins and tokens of an Elements chain, which anyone
/// could take, to addresses of the chain, or to their output scripts in hex. All operators set it as
/// `sweep` in `federation.toml`, and make no block 1 without it.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// The node's configuration file, elements.conf.
    #[arg(long, value_name = "PATH")]
    pub(crate) conf: PathBuf,
    /// The destination of the coins of `initialfreecoins`.
    #[arg(long, value_name = "ADDRESS|SCRIPT")]
    pub(crate) coins: Option<String>,
    /// The destination of the tokens of `initialreissuancetokens`.
    #[arg(long, value_name = "ADDRESS|SCRIPT")]
    pub(crate) tokens: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Kinds of node on the command line.
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
