//! A bounded implementation of the part of ZMTP 3.0 that PUB and SUB sockets without security need.
//!
//! Specification: <https://rfc.zeromq.org/spec/23/>. A peer is limited in the size and number of a
//! message's parts and in the bytes of a connection ([`Limits`]). A frame that exceeds a limit is
//! refused when its header arrives, and memory grows with the bytes received, never with a length that
//! a peer announces. There is no queue and no task here: [`Connection`] receives and sends messages
//! over any stream, and its owner decides what waits for whom.
//!
//! What it does not do: security mechanisms, versions before 3.0, and matching topics with
//! subscriptions, which is the publisher's task.
//!
//! ```
//! use std::time::Duration;
//!
//! use federation_messenger_zmq::zmtp::{Connection, Limits, SocketType, ZmtpError};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ZmtpError> {
//! let (here, there) = tokio::io::duplex(4096);
//! let limits = Limits { message: 1024, parts: 2, total: u64::MAX };
//! let connection = |stream| Connection::new(stream, limits, Duration::from_secs(20));
//! let (mut publisher, mut subscriber) = (connection(here), connection(there));
//! tokio::try_join!(
//!     publisher.handshake(SocketType::Pub, b""),
//!     subscriber.handshake(SocketType::Sub, b""),
//! )?;
//! subscriber.subscribe(b"topic").await?;
//! assert_eq!(publisher.recv().await?, [&b"\x01topic"[..]]);
//! publisher.send(&["topic", "payload"]).await?;
//! assert_eq!(subscriber.recv().await?, [&b"topic"[..], b"payload"]);
//! # Ok(())
//! # }
//! ```

mod connection;
mod frame;
mod handshake;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::io;

pub use connection::Connection;
pub use handshake::{Peer, SocketType};

/// The limits on what a peer sends over one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every limit must be chosen")]
pub struct Limits {
    /// The size limit of a message in bytes, all parts together.
    pub message: usize,
    /// The most parts in a message.
    pub parts: usize,
    /// The most bytes over the life of the connection.
    pub total: u64,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZmtpError {
    /// The peer does not speak ZMTP 3.
    #[error("the peer does not speak ZMTP 3")]
    Greeting,
    /// The peer requires a security mechanism.
    #[error("the peer requires a security mechanism")]
    Mechanism,
    /// The peer's READY is malformed, or its socket type cannot be connected with ours.
    #[error("malformed READY, or neither a publisher nor a subscriber")]
    Ready,
    /// A frame has unknown flags.
    #[error("frame with unknown flags {0:#04x}")]
    Flags(u8),
    /// A command is too long.
    #[error("command of {0} bytes")]
    Command(u64),
    /// A message is too large.
    #[error("message of at least {0} bytes")]
    Message(u64),
    /// A message has too many parts.
    #[error("message of more than {0} parts")]
    Parts(usize),
    /// The peer sent too many bytes over one connection.
    #[error("more than {0} bytes over one connection")]
    Total(u64),
    /// The peer has read nothing for too long while data was waiting for it.
    #[error("the peer has not read for {} ms", .0.as_millis())]
    Stalled(Duration),
    /// The peer closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}
