//! An embedded sidechain node for demos and tests: real blocks, real checks, the nodes' JSON-RPC.
//!
//! [`DevNode`] keeps a chain in one of the three dialects, serves it over HTTP as Elements and Ocean
//! nodes do, relays blocks and transactions to other devnet nodes, and keeps them on disk if asked.
//! A client that works with it works with a real node, as far as it goes:
//!
//! - headers, blocks and genesis are serialised as the real nodes do it; a template of an empty
//!   chain is byte for byte what `elementsd` makes;
//! - a block needs M signatures by the chain's own rules, the right height, previous block and time,
//!   and transactions that spend what exists, once, and create nothing but what they issue;
//! - on a dynafed chain blocks propose parameters, and what four fifths of an epoch's blocks propose
//!   is in force from the next one on: who signs, too;
//! - RPC answers have the nodes' form: 1.0 bodies, status 500 for errors, 401 without a body.
//!
//! On Elements, blinded outputs are checked as consensus has it: sums, range proofs, surjection proofs,
//! and that a reissuance shows what blinds its token. The wallet blinds reissuance tokens and what it
//! pays to confidential addresses, and nothing else.
//!
//! What it does not do: blinded issuances, pegs, fee estimation, scripts other than "anyone can
//! spend", pay-to-public-key-hash and M-of-N by script hash, with or without witness (others are
//! refused, never waved through), replacing a block by another of its height, real nodes'
//! peer-to-peer protocol, Ocean's policy assets. An Ocean genesis made here has one
//! anyone-can-spend output in place of a hundred. Fees are burnt.
//!
//! ```
//! use federation_chain::Dialect;
//! use federation_devnet::{DevNode, DevNodeConfig};
//! use federation_multisig::{KeyOrder, MultisigScript, Threshold};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse()?;
//! let script = MultisigScript::new(Threshold::new(1)?, vec![key], KeyOrder::AsGiven)?;
//! let node = DevNode::spawn(DevNodeConfig::new(Dialect::Dynafed, script)).await?;
//! println!("a node at {}", node.rpc_url());
//! node.stop().await;
//! # Ok(())
//! # }
//! ```

mod config;
mod epochs;
mod error;
mod genesis;
mod ledger;
mod mempool;
mod node;
mod relay;
mod rpc;
mod script;
mod store;
mod template;
mod transaction;
mod wallet;

pub use config::DevNodeConfig;
pub use error::DevNodeError;
pub use genesis::genesis_block;
pub use node::DevNode;
