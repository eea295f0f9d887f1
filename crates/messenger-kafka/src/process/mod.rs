//! The client in a separate process.
//!
//! librdkafka is written in C and parses the brokers' answers. A process that signs blocks must not do
//! that itself: it starts another process and exchanges frames with it over pipes. If that process
//! exits, whatever a broker answered, or hangs, or violates the protocol of the pipes, it is
//! restarted, and only time and the frames in transit are lost.

mod child;
mod confine;
mod messages;
mod parent;
mod pipe;
mod rate;
mod supervisor;
mod topics;

pub use child::run_client;
pub use parent::KafkaProcess;
pub use topics::TopicsProcess;
