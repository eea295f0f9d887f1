//! How the operators of a federation talk: one trait, an in-memory hub with faults, and the suite
//! of tests that every messenger must pass.
//!
//! A messenger carries opaque frames from each operator to all others. It promises little: a frame
//! may be lost, doubled, delayed or overtaken, and nothing about its sender is proven. Proof is in
//! the frame itself, a signed [`Envelope`], which the reader checks. What a messenger does promise
//! is that it is bounded and never in the way:
//!
//! - [`Messenger::broadcast`] and [`Messenger::send_to`] never wait for a slow or dead peer;
//! - every queue has a limit in frames and in bytes, and drops its oldest frame when it is full;
//! - what one peer floods drops that peer's frames only;
//! - what an operator sends does not come back to it.
//!
//! The protocol above repeats itself until it has got through, so a dropped frame costs time, never
//! safety. Backends over a network live in crates of their own (`federation-messenger-zmq`); one of
//! your own passes [`contract::run`] and is as good.
//!
//! ```
//! use bytes::Bytes;
//! use federation_messenger::{Messenger, hub::Hub};
//! use federation_roster::OperatorId;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), federation_messenger::MessengerError> {
//! let hub = Hub::new(7);
//! let (anna, bert) = (hub.join(OperatorId::new(0)), hub.join(OperatorId::new(1)));
//! anna.broadcast(Bytes::from_static(b"a frame")).await?;
//! assert_eq!(bert.recv().await?, "a frame");
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
pub use messenger::{MAX_FRAME, Messenger};
pub use queue::{Inbox, Lane, QueueLimits};
pub use stats::{MessengerStats, Peer, PeerStats};
