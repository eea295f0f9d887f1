//! The arguments of `federation bench`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::args::{DialectArg, TransportArgs};

/// Measures a whole federation on this machine.
///
/// Runs operators on devnet nodes in this process. Reports, in milliseconds, the time from the start
/// of a height until every node has the block, and the part of it that was spent in the nodes' RPC;
/// the gaps between blocks; and how far the chain fell behind its schedule.
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    /// The number of operators (N, at most 20).
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) operators: u8,

    /// The number of signatures a block needs (M, more than half of N) [default: the smallest majority].
    #[arg(long)]
    pub(crate) threshold: Option<u8>,

    /// The time from one block to the next.
    #[arg(long, default_value = "500ms", value_parser = crate::args::duration)]
    pub(crate) interval: Duration,

    /// The number of blocks to measure.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) blocks: u32,

    /// The block format of the chain.
    #[arg(long, value_enum, default_value = "dynafed")]
    pub(crate) dialect: DialectArg,

    /// Messenger and brokers.
    #[command(flatten)]
    pub(crate) transport: TransportArgs,

    /// Kill this many operators after one third of the blocks.
    #[arg(long, default_value_t = 0)]
    pub(crate) kill: u8,

    /// Fill each block with transactions, up to this many bytes (a devnet block holds at most 4000000).
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=4_000_000))]
    pub(crate) block_size: u32,

    /// The folder for the operators' stores [default: a temporary folder].
    #[arg(long)]
    pub(crate) store: Option<PathBuf>,

    /// Print the report as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
