//! A messenger over ZeroMQ: every operator publishes, and subscribes to every other.
//!
//! [`ZmqMessenger`] listens on one address and keeps a subscription to each peer. A task per peer
//! connects, and reconnects, for as long as the messenger lives. Names are resolved anew each time
//! and all addresses of a name are tried, so a peer may move. The address to listen on may differ
//! from the endpoint that peers use. A dead, slow or faulty peer affects only its own link.
//!
//! # On the wire
//!
//! ZMTP 3.0 without security, PUB and SUB, as implemented in [`zmtp`]. The topic, one part, is
//! `federation/1/` and the federation's id in hex. By subscribing to exactly
//! `federation/1/operator-3/` and the id, a subscriber identifies itself as operator 3. No frame is
//! sent under that topic; but a frame for a single operator goes, under the federation's topic, only
//! to subscribers that identify as this operator. If there are none, it goes to subscribers that do
//! not identify themselves, as earlier versions do not. A message is one of
//!
//! | parts | meaning |
//! |---|---|
//! | topic, payload | a whole frame |
//! | topic, fragment, trailer | a fragment of a frame over 64 KiB; the trailer is the frame's length and the fragment's offset, both u32, little-endian |
//!
//! A connecting socket need not be a subscriber. A publisher that connects with the identity
//! `operator-3` (property `Identity` of its `READY` command) offers the frames of operator 3. The
//! messenger subscribes over that connection, first to its own name and then to the federation's
//! topic, while it is not connected to operator 3's endpoint, and unsubscribes from the topic once it
//! is. So an operator that cannot be reached, for example behind a router, is received all the same,
//! and no frame is sent twice. A messenger that knows its own id ([`ZmqConfig::with_operator`]) and
//! its peers' ids ([`ZmqConfig::with_operators`]) makes such an offer to every peer that it has
//! reached. Earlier versions refuse the offers; these are repeated every minute.
//!
//! The fragments of a frame are consecutive. They keep the buffers of both ends small, and let a
//! large frame be received while it is still being sent. The wire is neither authenticated nor
//! encrypted: authenticity comes from the signed envelopes inside, and anyone who can reach the port
//! can read them.
//!
//! # Bounds
//!
//! Anyone can connect, so nothing that a peer sends is trusted, and no ZeroMQ library is used: common
//! ones allocate whatever length a frame's header claims, queue messages of any size for slow
//! subscribers, store subscriptions without a limit, or wait indefinitely for a handshake. [`zmtp`]
//! refuses lengths, parts and totals over their limits before they are received. Each subscriber has a
//! queue bounded in frames and bytes that drops its oldest frames. Connections have keep-alive, a
//! timeout for the handshake, and one for a peer that does not read; `TCP_NODELAY` is set. An idle
//! connection holds no buffer.
//!
//! # What it does not do
//!
//! It does not keep strangers from connecting, encrypt frames, or authenticate their sender. It does
//! limit the connections: half of all are reserved for the addresses that the peers' endpoints
//! resolve to, and each address gets only a few. Of publishers from unknown addresses, at most four
//! may claim the same operator; their queues are small, and their frames are ignored while the
//! operator's endpoint is connected. An attacker with many addresses can still exhaust the
//! connections for unknown addresses: use a firewall or a VPN to prevent that. Subscribers' queues
//! share a frame's bytes, so many slow subscribers cost little more than one; each peer has its own
//! queue of received frames. The memory of frames is freed, but an allocator may keep it: after frames
//! of megabytes, glibc keeps some of it unless `MALLOC_MMAP_THRESHOLD_` is set.
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
//! let alice = ZmqMessenger::bind(config.clone()).await?;
//! let bob = ZmqMessenger::bind(config.with_peers([alice.local_endpoint()])).await?;
//! // A frame sent before the subscription has arrived is not delivered.
//! while alice.subscribers() < 1 {
//!     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
//! }
//! alice.broadcast(Bytes::from_static(b"a frame")).await?;
//! assert_eq!(bob.recv().await?, "a frame");
//! # Ok(())
//! # }
//! ```

mod acceptor;
mod admission;
mod config;
mod endpoint;
mod link;
mod messenger;
mod offer;
mod publisher;
mod resolve;
mod shared;
mod subscriber;
mod topics;
mod wire;
pub mod zmtp;

pub use config::{ZmqConfig, ZmqError};
pub use endpoint::{Endpoint, ParseEndpointError};
pub use messenger::ZmqMessenger;
pub use resolve::{Resolve, SystemNames};
