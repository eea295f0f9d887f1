//! The arguments of `federation init`.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::Args;
use federation_operator::config::init::PayTo;
use hex_conservative::FromHex;

use super::DialectArg;

/// Writes a runnable set of files for N operators on one machine.
///
/// Makes keys, the public federation.toml, and for each operator a folder with operator.toml, key
/// files (readable by their owner only) and the configuration of its node. For operators on
/// machines of their own, each makes its own keys there; this is for trying out.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to write; it must be empty or missing.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// How many operators the federation has (N, at most 20).
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) operators: u8,
    /// How many signatures a block needs (M, more than half of N) [default: more than half].
    #[arg(long)]
    pub(crate) threshold: Option<u8>,
    /// The block format of the chain.
    #[arg(long, value_enum, default_value = "dynafed")]
    pub(crate) dialect: DialectArg,
    /// The chain's name [default: fedchain, or ocean_test for Ocean].
    #[arg(long)]
    pub(crate) chain: Option<String>,
    /// The time from one block to the next.
    #[arg(long, default_value = "60s", value_parser = super::duration)]
    pub(crate) interval: Duration,
    /// The first of three ports for each operator: messenger, node RPC, node peers.
    #[arg(long, default_value_t = 21000)]
    pub(crate) first_port: u16,
    /// Who gets the chain's 21 million coins: `federation` (M of N of the block keys), an output
    /// script in hex, `anyone` (who takes them first: for trying out), or `nobody` (none are made).
    #[arg(long, default_value = "federation", value_name = "TO")]
    pub(crate) coins_to: PayToArg,
    /// Who gets the fees of every block: `federation`, an output script in hex, `anyone`, or `nobody`
    /// (they are burnt).
    #[arg(long, default_value = "federation", value_name = "TO")]
    pub(crate) fees_to: PayToArg,
}

/// Whose money is.
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
                _ => Err("write federation, anyone, nobody, or an output script in hex".to_owned()),
            },
        }
    }
}
