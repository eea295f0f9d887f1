//! The messenger of a federation on this machine.

use clap::{Args, ValueEnum};
use federation_cli::CliError;
use federation_local::{LocalConfig, Transport};

use crate::messenger;

/// The messenger and its brokers, for demo and bench.
#[derive(Debug, Clone, Args)]
pub(crate) struct TransportArgs {
    /// The messenger between operators.
    #[arg(long, value_enum, default_value = "zmq")]
    messenger: MessengerArg,

    /// The Kafka brokers, host:port, separated by commas [default: three embedded ones]. The Kafka client
    /// of each operator runs in its own process.
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
        Err("expected host:port".to_owned())
    }
}

/// Messengers on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MessengerArg {
    /// ZeroMQ over loopback.
    Zmq,
    /// An in-memory hub.
    Memory,
    /// Kafka, with external or embedded brokers.
    Kafka,
}

impl TransportArgs {
    /// Applies them to the configuration.
    pub(crate) fn apply(&self, config: LocalConfig) -> Result<LocalConfig, CliError> {
        let transport = match self.messenger {
            MessengerArg::Zmq => Transport::Zmq,
            MessengerArg::Memory => Transport::Memory,
            MessengerArg::Kafka => Transport::Kafka,
        };
        if !self.brokers.is_empty() && transport != Transport::Kafka {
            return Err(CliError::usage(
                "--brokers applies only to Kafka",
                "add --messenger kafka, or omit --brokers",
            ));
        }
        // As in the daemon, the answers of external brokers are parsed outside this process.
        let (program, arguments) = messenger::kafka_client();
        Ok(config
            .with_transport(transport)
            .with_brokers(self.brokers.clone())
            .with_kafka_client(program, arguments))
    }
}
