//! The arguments of `federation init`.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::Args;
use federation_operator::config::init::PayTo;
use hex_conservative::FromHex;

use crate::args::DialectArg;

/// Writes a runnable set of files for N operators on one machine.
///
/// Creates the public federation.toml and, for each operator, a folder with operator.toml, key files
/// (readable only by their owner) and the configuration of its node. This is for trying out: in a real
/// federation each operator creates its keys on its own machine.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to write to; it must be empty or not exist yet.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The number of operators (N, at most 20).
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) operators: u8,
    /// The number of signatures a block needs (M, more than half of N) [default: the smallest majority].
    #[arg(long)]
    pub(crate) threshold: Option<u8>,
    /// The block format of the chain.
    #[arg(long, value_enum, default_value = "dynafed")]
    pub(crate) dialect: DialectArg,
    /// The chain's name [default: fedchain; ocean_test for Ocean].
    #[arg(long)]
    pub(crate) chain: Option<String>,
    /// The time from one block to the next.
    #[arg(long, default_value = "60s", value_parser = crate::args::duration)]
    pub(crate) interval: Duration,
    /// The first port. Each operator uses three: messenger, node RPC and node peers.
    #[arg(long, default_value_t = 21000)]
    pub(crate) first_port: u16,
    /// Who receives the chain's 21 million coins: `federation` (M of N of the block keys), an output
    /// script in hex, `anyone` (whoever takes them first; only for trying out), or `nobody` (no coins are
    /// created).
    #[arg(long, default_value = "federation", value_name = "TO")]
    pub(crate) coins_to: PayToArg,
    /// Who receives the fees of every block: `federation`, an output script in hex, `anyone`, or `nobody`
    /// (they are burnt).
    #[arg(long, default_value = "federation", value_name = "TO")]
    pub(crate) fees_to: PayToArg,
}

/// Who is paid.
#[derive(Debug, Clone)]
pub(crate) struct PayToArg(pub(crate) PayTo);

impl FromStr for PayToArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "federation" => Ok(Self(PayTo::Federation)),
            "anyone" => Ok(Self(PayTo::Anyone)),
            "nobody" => Ok(Self(PayTo::Nobody)),
            hex => match Vec::from_hex(hex) {
                Ok(script) if !script.is_empty() => Ok(Self(PayTo::Script(script))),
                _ => Err(
                    "expected federation, anyone, nobody, or an output script in hex".to_owned(),
                ),
            },
        }
    }
}
