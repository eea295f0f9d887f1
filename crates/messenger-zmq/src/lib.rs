//! A messenger over ZeroMQ: every operator publishes, and subscribes to every other.
//!
//! [`ZmqMessenger`] binds one publishing address and keeps one subscription to each peer, with a
//! task of its own that connects, and connects again, for as long as the messenger lives. Names are
//! resolved anew each time, and all addresses of a name are tried, so that a peer may move. Where
//! the messenger listens need not be where its peers reach it. A dead, slow or garbling peer costs
//! its own link only.
//!
//! # On the wire
//!
//! ZMTP 3.0 without security, PUB and SUB, by the `zeromq` crate. The topic, one frame, is
//! `federation/1/` and the federation's id in hex. A subscriber to `federation/1/operator-3/` and
//! the id, exactly, says that it is operator 3: no frame travels under this topic, but a frame for
//! one operator goes, under the topic of all, to those only who say that they are this operator. If
//! nobody says so, it goes to those who do not say who they are, as earlier versions do not. A
//! message is one of
//!
//! | frames | meaning |
//! |---|---|
//! | topic, payload | a whole frame |
//! | topic, piece, mark | a piece of a frame over 64 KiB; the mark is the frame's length and the piece's offset, both u32, little-endian |
//!
//! Who calls need not subscribe. A publisher that connects with the identity `operator-3` (property
//! `Identity` of its command `READY`) offers what operator 3 says. The messenger subscribes over that
//! connection, first to its own name and then to the topic, while it does not hear operator 3 at its
//! endpoint, and unsubscribes from the topic when it does. So an operator that nobody can connect
//! to, behind a router, is heard all the same, and no frame travels twice. Every messenger that knows
//! who it is ([`ZmqConfig::with_operator`]) and who its peers are ([`ZmqConfig::with_operators`])
//! makes these offers to those that it has reached. Earlier versions refuse them, and are asked again
//! every minute.
//!
//! Pieces of a frame follow each other. They keep the buffers of both ends small and let a large
//! frame travel while it is still being written. Authenticity is not here: it comes from the signed
//! envelopes inside. Who can reach the port can read them.
//!
//! # What guards the crate below
//!
//! `zeromq` 0.7 by itself would let a stranger stop the process: it allocates whatever length a
//! frame's header claims. It also queues up to 100,000 messages of any size per slow subscriber,
//! keeps what a subscriber subscribes to without end, waits for a handshake for ever, and notices
//! no peer whose machine is gone. So it is never given a connection to the outside. Each link owns
//! its outer connection, and passes bytes on to a `zeromq` socket over loopback while it counts
//! them: lengths, parts and subscriptions over a limit end the link before the crate sees them. On
//! the way out each subscriber has a queue bounded in frames and bytes that drops its oldest.
//! Connections have keep-alive, a time-out for the handshake, and one for a peer that does not
//! read; `TCP_NODELAY` is set. The price is one hop over loopback at each end, some tens of
//! microseconds.
//!
//! # What it does not do
//!
//! Keep strangers from connecting, hide what is sent, or prove who sent it. There are limits to how
//! many connections there may be: half of all are kept for the addresses that the peers' endpoints
//! resolve to, and one address has few. Of publishers that say they are one operator, there are four
//! at addresses of no peer at most, with small queues, and none is heard while the operator is at its
//! endpoint. Who has many addresses can take the strangers' half all the same: a firewall or a VPN
//! keeps it out, this crate does not. Subscribers' queues share the bytes of a frame, so many
//! slow ones hold little more than one does; each peer's own queue of what came from it is its own.
//! Buffers of frames are freed, but an allocator may keep what is freed: after frames of megabytes
//! that of glibc keeps some of them, unless `MALLOC_MMAP_THRESHOLD_` is set.
//!
//! ```
//! use bytes::Bytes;
//! use federation_messenger::Messenger;
//! use federation_messenger_zmq::{ZmqConfig, ZmqMessenger};
//! use federation_roster::FederationId;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let federation = FederationId::from_bytes([1; 32]);
//! let config = ZmqConfig::new("127.0.0.1:0".parse()?, federation);
//! let anna = ZmqMessenger::bind(config.clone()).await?;
//! let bert = ZmqMessenger::bind(config.with_peers([anna.local_endpoint()])).await?;
//! // A frame sent before the subscription has arrived is not delivered.
//! while anna.subscribers() < 1 {
//!     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
//! }
//! anna.broadcast(Bytes::from_static(b"a frame")).await?;
//! assert_eq!(bert.recv().await?, "a frame");
//! # Ok(())
//! # }
//! ```

mod acceptor;
mod config;
mod endpoint;
mod gate;
mod greeting;
mod link;
mod messenger;
mod offer;
mod places;
mod publisher;
mod resolve;
mod shared;
mod subscriber;
mod topics;
mod wire;

pub use config::{ZmqConfig, ZmqError};
pub use endpoint::{Endpoint, ParseEndpointError};
pub use messenger::ZmqMessenger;
pub use resolve::{Resolve, SystemNames};
