//! What stands between an operator and its node in tests, and lies.
//!
//! [`Proxy`] listens on loopback and hands each JSON-RPC call on to a node, a devnet node or a real
//! one, with the credentials that came with it. A [`Middleman`] answers calls in the node's place
//! or changes what the node said. So a test has a node that lies, without a change to operator or
//! node. [`Usurper`] is one that tries to take a dynafed chain over.
//!
//! Nothing in it is for production.

mod proxy;
mod usurper;

pub use proxy::{Fault, Middleman, Proxy, ProxyError};
pub use usurper::{Usurper, forge_elided_root, propose};
