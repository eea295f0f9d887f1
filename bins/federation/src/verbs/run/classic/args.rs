//! The flags of the Python program, under their old names.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, ValueEnum};

/// The flags of the Python program, and some that it does not have.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Flags of the 2019 Python federation, instead of --config")]
pub(crate) struct ClassicArgs {
    /// Run the Python federation's protocol with the node at this host.
    #[arg(
        long,
        alias = "rpcconnect",
        requires_all = ["rpcport", "rpcuser", "id"],
        conflicts_with_all = [
            "config", "observe", "new_key_until", "federation", "operator", "identity_key_file",
            "node_url", "node_cookie", "node_user",
        ]
    )]
    pub(crate) rpconnect: Option<String>,
    /// The node's RPC port.
    #[arg(long, requires = "rpconnect")]
    pub(crate) rpcport: Option<u16>,
    /// The node's rpcuser.
    #[arg(long, requires = "rpconnect")]
    pub(crate) rpcuser: Option<String>,
    /// The node's rpcpassword. Every user of the machine can see it: prefer --node-password-file.
    #[arg(
        long,
        alias = "rpcpass",
        requires = "rpconnect",
        conflicts_with = "node_password_file"
    )]
    pub(crate) rpcpassword: Option<String>,
    /// The operator's index in the list of nodes, starting from 0.
    #[arg(long, requires = "rpconnect")]
    pub(crate) id: Option<u32>,
    /// The messenger between operators.
    #[arg(
        long,
        alias = "msg_type",
        value_enum,
        ignore_case = true,
        default_value = "kafka"
    )]
    pub(crate) msgtype: MessengerType,
    /// The operators' addresses, host:port, in order and separated by commas; for Kafka only their number
    /// matters [default: 5 operators].
    #[arg(long, requires = "rpconnect", value_delimiter = ',')]
    pub(crate) nodes: Vec<String>,
    /// The Kafka brokers (hard-coded in the Python program).
    #[arg(long, default_value = "kafka:9092")]
    pub(crate) kafka: String,
    /// The number of signatures a block needs (hard-coded in the Python program).
    #[arg(long, default_value_t = 3)]
    pub(crate) nsigs: u8,
    /// The time from one block to the next (hard-coded in the Python program).
    #[arg(long, default_value = "60s", value_parser = crate::args::duration)]
    pub(crate) blocktime: Duration,
    /// The chain's signblockscript, required on a dynafed chain without blocks (not in the Python
    /// program).
    #[arg(long, requires = "rpconnect")]
    pub(crate) signblockscript: Option<String>,
    /// The inflation rate.
    #[arg(long, requires = "rpconnect", default_value_t = 0.0)]
    pub(crate) inflationrate: f64,
    /// The inflation period, in blocks.
    #[arg(long, default_value_t = 0)]
    pub(crate) inflationperiod: u32,
    /// The address for inflation payments.
    #[arg(long, default_value = "")]
    pub(crate) inflationaddress: String,
    /// The script that holds the reissuance tokens.
    #[arg(long, default_value = "")]
    pub(crate) reissuancescript: String,
    /// The reissuance private key. Every user of the machine can see it: prefer --reissuance-key-file.
    #[arg(
        long,
        hide_default_value = true,
        default_value = "",
        conflicts_with = "reissuance_key_file"
    )]
    pub(crate) reissuanceprivkey: String,
    /// A file that contains only the reissuance private key (not in the Python program).
    #[arg(long, requires = "rpconnect", value_name = "FILE")]
    pub(crate) reissuance_key_file: Option<PathBuf>,
    /// Sign with a hardware module (not supported here).
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "true",
        default_value = "false",
        value_parser = clap::builder::BoolishValueParser::new(),
        action = ArgAction::Set
    )]
    pub(crate) hsm: bool,
}

/// The messengers of the Python program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessengerType {
    /// A Kafka broker.
    Kafka,
    /// ZeroMQ.
    Zmq,
}

impl ClassicArgs {
    /// Whether the program is to run by these flags.
    pub(crate) const fn are_given(&self) -> bool {
        self.rpconnect.is_some()
    }
}

/// The settings of `federation run` that apply to both protocols.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) store: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) block_key_file: Option<PathBuf>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
}
