//! The Kafka client as a separate process, for programs that embed the old wire: see
//! `wire::kafka::KafkaWire`. It logs nothing; `federation-kafka-client` is the same program with a log.

use std::process::ExitCode;

fn main() -> ExitCode {
    federation_messenger_kafka::run_client()
}
