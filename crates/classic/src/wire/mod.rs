//! The wires that carry the old operators' messages.

mod error;
pub mod kafka;
pub mod zmq;

use async_trait::async_trait;

use crate::Message;

pub use error::WireError;

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "created by wires")]
pub struct Arrival {
    /// The index of the operator whose connection or topic it came from, if the wire shows it. It is not
    /// authenticated.
    pub from: Option<usize>,
    /// The message.
    pub message: Message,
}

/// Carries messages between operators, as in the old program.
#[async_trait]
pub trait Wire: Send + Sync + 'static {
    /// Queues a message for delivery to all others. There is no confirmation of delivery.
    ///
    /// # Errors
    /// If the wire is closed.
    async fn publish(&self, message: &Message) -> Result<(), WireError>;

    /// Waits for the next message. Dropping the future loses no message.
    ///
    /// # Errors
    /// If the wire is closed.
    async fn recv(&self) -> Result<Arrival, WireError>;

    /// Releases sockets and tasks.
    async fn close(&self);
}
