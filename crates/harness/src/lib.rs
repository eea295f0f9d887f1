//! Shared test tools: a proxy that makes an operator's node lie, and documents whose code blocks are
//! run.
//!
//! [`Proxy`] listens on loopback and forwards each JSON-RPC call, with its credentials, to a devnet node
//! or a real one. A [`Middleman`] answers calls instead of the node or changes the node's answers, so
//! tests have a lying node without changes to operator or node. [`Usurper`] is a middleman that tries to
//! take over a dynafed chain.
//!
//! A test follows a [`Document`](document::Document) of this repository as a reader would.
//!
//! Nothing in this crate is for production.

pub mod document;
mod proxy;
mod script;
mod usurper;

pub use proxy::{Fault, Middleman, Proxy, ProxyError};
pub use script::write_script;
pub use usurper::{Usurper, forge_elided_root, propose};
