//! How the operators of a federation on this machine talk.

use clap::{Args, ValueEnum};
use federation_cli::CliError;
use federation_local::{LocalConfig, Transport};

use crate::messenger;

/// Messenger and brokers, for demo and bench.
#[derive(Debug, Clone, Args)]
pub(crate) struct TransportArgs {
    /// How the operators talk.
    #[arg(long, value_enum, default_value = "zmq")]
    messenger: MessengerArg,

    /// Kafka's brokers, host:port, separated by commas [default: three embedded ones]. Each operator's
    /// client of them is a process of its own.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', value_parser = broker)]
    brokers: Vec<String>,
}

fn broker(text: &str) -> Result<String, String> {
    let is_address = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_address {
        Ok(text.to_owned())
    } else {
        Err("write host:port".to_owned())
    }
}

/// Messengers on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MessengerArg {
    /// ZeroMQ over loopback.
    Zmq,
    /// A hub in memory.
    Memory,
    /// Kafka: brokers of your own, or embedded ones.
    Kafka,
}

impl TransportArgs {
    /// Puts them into the configuration.
    pub(crate) fn apply(&self, config: LocalConfig) -> Result<LocalConfig, CliError> {
        let transport = match self.messenger {
            MessengerArg::Zmq => Transport::Zmq,
            MessengerArg::Memory => Transport::Memory,
            MessengerArg::Kafka => Transport::Kafka,
        };
        if !self.brokers.is_empty() && transport != Transport::Kafka {
            return Err(CliError::usage(
                "brokers are given, and the messenger is not Kafka",
                "add --messenger kafka, or leave --brokers away",
            ));
        }
        // What brokers of others answer is read outside of this process, as the daemon has it.
        let (program, arguments) = messenger::kafka_client();
        Ok(config
            .with_transport(transport)
            .with_brokers(self.brokers.clone())
            .with_kafka_client(program, arguments))
    }
}
