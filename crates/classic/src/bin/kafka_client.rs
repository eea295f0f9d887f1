//! The Kafka client as a process of its own, for those who embed the old wire: see
//! `wire::kafka::KafkaWire`. It says nothing; the program `federation-kafka-client` does the same and
//! has a log.

use std::process::ExitCode;

fn main() -> ExitCode {
    federation_messenger_kafka::run_client()
}
