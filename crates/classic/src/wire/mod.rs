//! How the old operators' messages travel.

mod error;
pub mod kafka;
pub mod zmq;
mod zmtp;

use async_trait::async_trait;

use crate::Message;

pub use error::WireError;

/// A message that came, with the place of the operator by whose connection or topic, if that tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a wire makes it")]
pub struct Arrival {
    /// Whose connection or topic; nobody has signed anything.
    pub from: Option<usize>,
    /// The message.
    pub message: Message,
}

/// Carries messages between operators, as the old program does.
#[async_trait]
pub trait Wire: Send + Sync + 'static {
    /// Hands a message over for delivery to all others. Whether it arrives is never known.
    ///
    /// # Errors
    /// If it cannot even be handed over.
    async fn publish(&self, message: &Message) -> Result<(), WireError>;

    /// Waits for the next message. Dropping the future loses none.
    ///
    /// # Errors
    /// If none can come any more.
    async fn recv(&self) -> Result<Arrival, WireError>;

    /// Lets go of sockets and tasks.
    async fn close(&self);
}
