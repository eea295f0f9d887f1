//! The arguments of `federation demo`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use federation_chain::Dialect;
use federation_reissuance::Rate;

use super::TransportArgs;

/// Shows a whole federation on this machine.
///
/// Starts one node and one operator each, lets clients issue, move and reissue an asset, stops one
/// operator after some blocks, goes on without it, and lets it come back. On a terminal you see a
/// live view; keys stop and restart operators and cut links.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// How many operators the federation has (N, at most 20).
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) operators: u8,

    /// How many signatures a block needs (M, more than half of N) [default: more than half].
    #[arg(long)]
    pub(crate) threshold: Option<u8>,

    /// The time from one block to the next.
    #[arg(long, default_value = "2s", value_parser = super::duration)]
    pub(crate) interval: Duration,

    /// Messenger and brokers.
    #[command(flatten)]
    pub(crate) transport: TransportArgs,

    /// Stop after this many blocks [default: 20 without a live view, else until you quit].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) blocks: Option<u32>,

    /// The block format of the chain [default: dynafed, with --oceand ocean].
    #[arg(long, value_enum)]
    pub(crate) dialect: Option<DialectArg>,

    /// Stop no operator and restart none.
    #[arg(long)]
    pub(crate) no_crash: bool,

    /// Log lines instead of the live view.
    #[arg(long, conflicts_with = "json")]
    pub(crate) plain: bool,

    /// One line of JSON for each block, and a last one with the summary.
    #[arg(long)]
    pub(crate) json: bool,

    /// Let the federation make more of the clients' asset at this yearly rate: 0.1 is ten in a
    /// hundred. At the end the chain is audited.
    #[arg(long, value_name = "RATE")]
    pub(crate) inflation_rate: Option<Rate>,

    /// The blocks from one reissuance to the next.
    #[arg(long, value_name = "BLOCKS", default_value_t = 5, requires = "inflation_rate",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) inflation_period: u32,

    /// Use real Elements nodes, started from this elementsd in a temporary folder.
    #[arg(long, value_name = "PATH", conflicts_with = "oceand")]
    pub(crate) elementsd: Option<PathBuf>,

    /// Use real Ocean nodes, started from this oceand in a temporary folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) oceand: Option<PathBuf>,
}

/// Block formats on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectArg {
    /// Elements with plain signed headers.
    Elements,
    /// Elements with dynamic federations, what a custom chain does by default.
    Dynafed,
    /// Ocean.
    Ocean,
}

impl From<DialectArg> for Dialect {
    fn from(arg: DialectArg) -> Self {
        match arg {
            DialectArg::Elements => Self::Elements,
            DialectArg::Dynafed => Self::Dynafed,
            DialectArg::Ocean => Self::Ocean,
        }
    }
}
