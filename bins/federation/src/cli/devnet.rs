//! The arguments of `federation devnet`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use federation_multisig::MultisigScript;

use super::DialectArg;

/// Runs embedded nodes, to try operators and wallets without a real one.
///
/// With operator.toml files it is those operators' nodes: each has its RPC at the `url` of its node table,
/// writes its cookie file there, makes its chain of the node's configuration (node/elements.conf or
/// node/ocean.conf beside operator.toml, as `federation init` writes it), finds the other nodes that
/// this names, and keeps its blocks beside it.
///
/// Without files it is one node of a new chain, on which a key of this process signs a block each
/// interval; with --script the blocks are left to the operators of that script.
///
/// Prints where each node is and how an operator.toml is pointed at it, and runs until it is told to
/// stop (SIGINT or SIGTERM). The nodes check blocks and transactions as real ones do, and know a part of
/// their RPC; they do not talk to real ones.
#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// Be the nodes of these operators.
    #[arg(value_name = "OPERATOR.TOML")]
    pub(crate) operators: Vec<PathBuf>,

    /// The configuration of the node, where it is not beside operator.toml.
    #[arg(long, value_name = "FILE", requires = "operators")]
    pub(crate) node_conf: Option<PathBuf>,

    /// A line of JSON for each node, with its `url`.
    #[arg(long)]
    pub(crate) json: bool,

    /// The chain of a node without files.
    #[command(flatten)]
    pub(crate) alone: AloneArgs,
}

/// The chain of a node without files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Without files")]
pub(crate) struct AloneArgs {
    /// The block format of the chain.
    #[arg(
        long,
        value_enum,
        default_value = "dynafed",
        conflicts_with = "operators"
    )]
    pub(crate) dialect: DialectArg,

    /// The chain's name, of which its genesis is made.
    #[arg(long, default_value = "devnet", conflicts_with = "operators")]
    pub(crate) chain: String,

    /// The time from one block to the next.
    #[arg(
        long,
        default_value = "2s",
        value_parser = super::duration,
        conflicts_with_all = ["operators", "script"]
    )]
    pub(crate) interval: Duration,

    /// The chain's M-of-N script in hex, as `multisig script` makes it: its operators make the blocks.
    #[arg(long, value_name = "HEX", value_parser = script, conflicts_with = "operators")]
    pub(crate) script: Option<MultisigScript>,

    /// Where the RPC is, host:port; port 0 is one of the system's choice.
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:0",
        conflicts_with = "operators"
    )]
    pub(crate) rpc: SocketAddr,

    /// Where other devnet nodes of the chain find this one.
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:0",
        conflicts_with = "operators"
    )]
    pub(crate) p2p: SocketAddr,

    /// Another devnet node of the chain (its --p2p); may be given several times.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "operators")]
    pub(crate) connect: Vec<SocketAddr>,

    /// Keep chain, cookie and key in this folder, and go on with them at the next start [default: a
    /// temporary folder].
    #[arg(long, value_name = "FOLDER", conflicts_with = "operators")]
    pub(crate) folder: Option<PathBuf>,
}

fn script(hex: &str) -> Result<MultisigScript, String> {
    MultisigScript::from_hex(hex).map_err(|error| error.to_string())
}
