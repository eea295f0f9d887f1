//! The arguments of `federation demo`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use federation_reissuance::Rate;

use crate::args::{DialectArg, TransportArgs};

/// Demonstrates a whole federation on this machine.
///
/// Starts the operators, each with its own node. Clients issue, transfer and reissue an asset. After
/// some blocks one operator crashes, the others continue without it, and it recovers. On a terminal
/// this is a live view, in which keys stop and restart operators and cut links.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// The number of operators (N, at most 20).
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) operators: u8,

    /// The number of signatures a block needs (M, more than half of N) [default: the smallest majority].
    #[arg(long)]
    pub(crate) threshold: Option<u8>,

    /// The time from one block to the next.
    #[arg(long, default_value = "2s", value_parser = crate::args::duration)]
    pub(crate) interval: Duration,

    /// Messenger and brokers.
    #[command(flatten)]
    pub(crate) transport: TransportArgs,

    /// Stop after this many blocks [default: until you quit the live view; 20 without one].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) blocks: Option<u32>,

    /// The block format of the chain [default: dynafed; ocean with --oceand].
    #[arg(long, value_enum)]
    pub(crate) dialect: Option<DialectArg>,

    /// Do not crash an operator.
    #[arg(long)]
    pub(crate) no_crash: bool,

    /// Print log lines instead of the live view.
    #[arg(long, conflicts_with = "json")]
    pub(crate) plain: bool,

    /// Print one line of JSON for each block, and a last one with the summary.
    #[arg(long)]
    pub(crate) json: bool,

    /// Let the federation reissue the clients' asset at this yearly rate (0.1 is 10 percent), and audit
    /// the chain at the end.
    #[arg(long, value_name = "RATE")]
    pub(crate) inflation_rate: Option<Rate>,

    /// The number of blocks from one reissuance to the next.
    #[arg(long, value_name = "BLOCKS", default_value_t = 5, requires = "inflation_rate",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) inflation_period: u32,

    /// Use real Elements nodes: run this elementsd in a temporary folder.
    #[arg(long, value_name = "PATH", conflicts_with = "oceand")]
    pub(crate) elementsd: Option<PathBuf>,

    /// Use real Ocean nodes: run this oceand in a temporary folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) oceand: Option<PathBuf>,
}
