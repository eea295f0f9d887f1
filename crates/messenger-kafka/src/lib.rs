//! A messenger over Kafka: every operator writes to a topic of its own and reads those of all
//! others.

mod config;
mod context;
mod error;
mod health;
mod messenger;
pub mod mock;
mod outbox;
mod receiving;
mod sending;
mod settings;
mod shared;
mod topics;

pub use config::KafkaConfig;
pub use error::KafkaError;
pub use messenger::KafkaMessenger;
