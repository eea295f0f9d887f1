//! The arguments of the log.

use clap::{Args, ValueEnum};

/// The log settings that a process passes to its Kafka client.
#[derive(Debug, Args)]
pub(crate) struct KafkaClientArgs {
    /// The format of the log.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Log only what RUST_LOG selects.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text lines for people.
    Text,
    /// One JSON object per line.
    Json,
}
