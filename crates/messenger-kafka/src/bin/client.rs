//! The Kafka client as a process of its own, for those who embed the messenger: see `KafkaProcess`.
//! Its log goes to the standard error: what `RUST_LOG` asks for, or INFO and above.

use std::process::ExitCode;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

fn main() -> ExitCode {
    let asked = std::env::var("RUST_LOG").ok();
    let filter = asked
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
