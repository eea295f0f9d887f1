//! The arguments of `federation bench`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{DialectArg, TransportArgs};

/// Measures a whole federation on this machine.
///
/// Runs operators on devnet nodes in this process and reports, in milliseconds, how long it takes
/// from a height's start to the block on every node, with the time spent in the nodes' RPC apart;
/// the gaps between blocks; and how far the chain fell behind its schedule.
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    /// How many operators the federation has (N, at most 20).
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) operators: u8,

    /// How many signatures a block needs (M, more than half of N) [default: more than half].
    #[arg(long)]
    pub(crate) threshold: Option<u8>,

    /// The time from one block to the next.
    #[arg(long, default_value = "500ms", value_parser = super::duration)]
    pub(crate) interval: Duration,

    /// How many blocks to measure.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) blocks: u32,

    /// The block format of the chain.
    #[arg(long, value_enum, default_value = "dynafed")]
    pub(crate) dialect: DialectArg,

    /// Messenger and brokers.
    #[command(flatten)]
    pub(crate) transport: TransportArgs,

    /// Kill this many operators after a third of the blocks.
    #[arg(long, default_value_t = 0)]
    pub(crate) kill: u8,

    /// Fill each block with transactions up to this many bytes (a devnet block has at most 4000000).
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=4_000_000))]
    pub(crate) block_size: u32,

    /// Where the operators' stores are [default: a temporary folder].
    #[arg(long)]
    pub(crate) store: Option<PathBuf>,

    /// The report as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
