//! What tests share: what stands between an operator and its node, and lies; and documents whose
//! code blocks are run.
//!
//! [`Proxy`] listens on loopback and hands each JSON-RPC call on to a node, a devnet node or a real
//! one, with the credentials that came with it. A [`Middleman`] answers calls in the node's place
//! or changes what the node said. So a test has a node that lies, without a change to operator or
//! node. [`Usurper`] is one that tries to take a dynafed chain over.
//!
//! A [`Document`](document::Document) of this repository is followed by a test as by a reader.
//!
//! Nothing in it is for production.

pub mod document;
mod proxy;
mod script;
mod usurper;

pub use proxy::{Fault, Middleman, Proxy, ProxyError};
pub use script::write_script;
pub use usurper::{Usurper, forge_elided_root, propose};
