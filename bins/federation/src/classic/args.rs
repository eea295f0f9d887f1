//! The flags of the Python program, under their old names.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, ValueEnum};

/// The flags of the Python program. Those that it does not have say so.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The 2019 Python federation's flags, instead of --config")]
pub(crate) struct ClassicArgs {
    /// Run the protocol of the Python federation with the node at this host.
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
    /// The node's rpcpassword. All users of the machine can see it: --node-password-file is better.
    #[arg(
        long,
        alias = "rpcpass",
        requires = "rpconnect",
        conflicts_with = "node_password_file"
    )]
    pub(crate) rpcpassword: Option<String>,
    /// The operator's place in the list of nodes, from 0.
    #[arg(long, requires = "rpconnect")]
    pub(crate) id: Option<u32>,
    /// How the operators talk.
    #[arg(
        long,
        alias = "msg_type",
        value_enum,
        ignore_case = true,
        default_value = "kafka"
    )]
    pub(crate) msgtype: MessengerType,
    /// The operators' host:port in their order, with commas between; for Kafka only their number
    /// counts [default: 5 operators].
    #[arg(long, requires = "rpconnect", value_delimiter = ',')]
    pub(crate) nodes: Vec<String>,
    /// The Kafka brokers (hard-coded in the Python program).
    #[arg(long, default_value = "kafka:9092")]
    pub(crate) kafka: String,
    /// How many signatures a block needs (hard-coded in the Python program).
    #[arg(long, default_value_t = 3)]
    pub(crate) nsigs: u8,
    /// The time from one block to the next (hard-coded in the Python program).
    #[arg(long, default_value = "60s", value_parser = crate::cli::duration)]
    pub(crate) blocktime: Duration,
    /// The chain's signblockscript, where a dynafed chain without blocks does not tell it (not in
    /// the Python program).
    #[arg(long, requires = "rpconnect")]
    pub(crate) signblockscript: Option<String>,
    /// Inflation rate.
    #[arg(long, requires = "rpconnect", default_value_t = 0.0)]
    pub(crate) inflationrate: f64,
    /// Inflation period, in blocks.
    #[arg(long, default_value_t = 0)]
    pub(crate) inflationperiod: u32,
    /// Address for inflation payments.
    #[arg(long, default_value = "")]
    pub(crate) inflationaddress: String,
    /// Reissuance token script.
    #[arg(long, default_value = "")]
    pub(crate) reissuancescript: String,
    /// Reissuance private key. All users of the machine can see it: --reissuance-key-file is better.
    #[arg(
        long,
        hide_default_value = true,
        default_value = "",
        conflicts_with = "reissuance_key_file"
    )]
    pub(crate) reissuanceprivkey: String,
    /// A file with the reissuance private key alone (not in the Python program).
    #[arg(long, requires = "rpconnect", value_name = "FILE")]
    pub(crate) reissuance_key_file: Option<PathBuf>,
    /// Sign with a hardware module.
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

/// How the old operators talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessengerType {
    /// A Kafka broker.
    Kafka,
    /// ZeroMQ.
    Zmq,
}

impl ClassicArgs {
    /// Whether they are what is to be run by.
    pub(crate) const fn are_given(&self) -> bool {
        self.rpconnect.is_some()
    }
}

/// What `federation run` has for both ways.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) store: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) block_key_file: Option<PathBuf>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
}
