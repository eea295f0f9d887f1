//! How the operators of a federation communicate: one trait, an in-memory hub with faults, and the
//! test suite that every messenger must pass.
//!
//! A messenger carries opaque frames from each operator to all others. It promises little: a frame
//! may be lost, duplicated, delayed or reordered, and its sender is not authenticated.
//! Authentication is in the frame itself, a signed [`Envelope`], which the reader checks. What a
//! messenger does promise is that it is bounded and never blocks the protocol:
//!
//! - [`Messenger::broadcast`] and [`Messenger::send_to`] never wait for a slow or dead peer;
//! - every queue is limited in frames and in bytes, and drops its oldest frames when it is full;
//! - a peer that floods causes only its own frames to be dropped;
//! - an operator does not receive its own frames.
//!
//! The protocol above retransmits, so a dropped frame costs time, never safety. Network backends
//! live in crates of their own (`federation-messenger-zmq`, `federation-messenger-kafka`); any other
//! backend that passes [`contract::run`] will do as well.
//!
//! ```
//! use bytes::Bytes;
//! use federation_messenger::{Messenger, hub::Hub};
//! use federation_roster::OperatorId;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), federation_messenger::MessengerError> {
//! let hub = Hub::new(7);
//! let (alice, bob) = (hub.join(OperatorId::new(0)), hub.join(OperatorId::new(1)));
//! alice.broadcast(Bytes::from_static(b"a frame")).await?;
//! assert_eq!(bob.recv().await?, "a frame");
//! # Ok(())
//! # }
//! ```

pub mod contract;
pub mod hub;

mod error;
mod messenger;
mod queue;
mod stats;

pub use federation_roster::{Envelope, EnvelopeError, EnvelopeHead, UnsignedEnvelope};

pub use error::MessengerError;
pub use messenger::{MAX_FRAME, Messenger, check_size};
pub use queue::{BoundedQueue, Inbox, Lane, QueueLimits};
pub use stats::{MessengerStats, Peer, PeerStats};
