//! The client in a process of its own.
//!
//! librdkafka is C, and what brokers answer is for it to read. A process that signs blocks does not
//! read it: it starts another, hands it frames and takes frames from it over pipes. If that one
//! ends, by whatever a broker answered, or hangs, or says what it should not, it is started again, and
//! nothing is lost but time and the frames under way.

mod child;
mod confine;
mod messages;
mod pace;
mod parent;
mod pipe;
mod supervisor;
mod topics;

pub use child::run_client;
pub use parent::KafkaProcess;
pub use topics::TopicsProcess;
