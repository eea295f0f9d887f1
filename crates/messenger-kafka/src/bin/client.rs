//! The Kafka client as a separate process, for programs that embed the messenger: see `KafkaProcess`.
//! It logs to standard error, at the level of `RUST_LOG` or INFO.

use std::process::ExitCode;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

fn main() -> ExitCode {
    let level = std::env::var("RUST_LOG").ok();
    let filter = level
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    federation_messenger_kafka::run_client()
}
