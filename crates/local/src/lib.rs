//! A whole federation on one machine: N nodes, N operators, one process.
//!
//! [`LocalFederation`] derives keys, starts a node for each operator (a devnet node in this process, or
//! a real `elementsd` or `oceand`), connects the nodes, and runs the operators over an in-memory hub,
//! ZeroMQ or Kafka. Operators can be stopped, killed and restarted, links can be cut, and nodes can be
//! made unavailable. The demo, the benchmark and the end-to-end tests are built on it. Nothing in it
//! is for production.
//!
//! ```
//! use federation_local::{LocalConfig, LocalFederation};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), federation_local::LocalError> {
//! let config = LocalConfig::new(3, 2).with_interval(std::time::Duration::from_millis(250));
//! let federation = LocalFederation::start(config).await?;
//! federation.wait_for_height(2, std::time::Duration::from_secs(30)).await?;
//! federation.stop().await;
//! # Ok(())
//! # }
//! ```

mod config;
mod error;
mod events;
mod federation;
mod keys;
mod node;
mod ports;
mod substitutes;
mod wire;

pub use config::{LocalConfig, NodeKind, Transport};
pub use error::LocalError;
pub use events::{EventPump, LocalEvent, LocalEventKind};
pub use federation::LocalFederation;
pub use node::LocalNode;
pub use ports::{HeldPorts, free_ports};
pub use substitutes::{Substitutes, WrapMessenger};
