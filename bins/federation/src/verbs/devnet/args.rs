//! The arguments of `federation devnet`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use federation_multisig::MultisigScript;

use crate::args::DialectArg;

/// Runs embedded nodes, to try out operators and wallets without a real node.
///
/// With operator.toml files, runs the node of each of these operators. It serves RPC at the `url` of the
/// `[node]` table and writes the cookie file given there. It computes its genesis block from the node's
/// configuration (node/elements.conf or node/ocean.conf next to operator.toml, as `federation init`
/// writes it), connects to the peers named in it, and stores its blocks next to it.
///
/// Without files, runs one node of a new chain, whose blocks are signed by a key of this process, one
/// each interval; with --script, by the operators of that script.
///
/// Prints the address of each node and what to write into operator.toml to use it, and runs until it is
/// stopped (SIGINT or SIGTERM). The nodes validate blocks and transactions as real ones do and serve a
/// part of their RPC, but cannot connect to real ones.
#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// Run the nodes of these operators.
    #[arg(value_name = "OPERATOR.TOML")]
    pub(crate) operators: Vec<PathBuf>,

    /// The node's configuration file, if not in the default place next to operator.toml.
    #[arg(long, value_name = "FILE", requires = "operators")]
    pub(crate) node_conf: Option<PathBuf>,

    /// Print one line of JSON for each node, with its `url`.
    #[arg(long)]
    pub(crate) json: bool,

    /// The chain of a node that is run without files.
    #[command(flatten)]
    pub(crate) alone: AloneArgs,
}

/// The chain of a node that is run without files.
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

    /// The chain's name, from which its genesis block is computed.
    #[arg(long, default_value = "devnet", conflicts_with = "operators")]
    pub(crate) chain: String,

    /// The time from one block to the next.
    #[arg(
        long,
        default_value = "2s",
        value_parser = crate::args::duration,
        conflicts_with_all = ["operators", "script"]
    )]
    pub(crate) interval: Duration,

    /// The chain's M-of-N script in hex, from `multisig script`: its operators sign the blocks.
    #[arg(long, value_name = "HEX", value_parser = script, conflicts_with = "operators")]
    pub(crate) script: Option<MultisigScript>,

    /// The address to serve RPC at, host:port; with port 0 the system chooses a free port.
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:0",
        conflicts_with = "operators"
    )]
    pub(crate) rpc: SocketAddr,

    /// The address to accept other devnet nodes of the chain at.
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:0",
        conflicts_with = "operators"
    )]
    pub(crate) p2p: SocketAddr,

    /// Connect to another devnet node of the chain (its --p2p); may be repeated.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "operators")]
    pub(crate) connect: Vec<SocketAddr>,

    /// Keep the chain, cookie and key in this folder, and resume from it at the next start [default: a
    /// temporary folder].
    #[arg(long, value_name = "FOLDER", conflicts_with = "operators")]
    pub(crate) folder: Option<PathBuf>,
}

fn script(hex: &str) -> Result<MultisigScript, String> {
    MultisigScript::from_hex(hex).map_err(|error| error.to_string())
}
