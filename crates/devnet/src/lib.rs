//! An embedded sidechain node for demos and tests: real blocks, real checks, the nodes' JSON-RPC.
//!
//! [`DevNode`] maintains a chain in one of the three dialects, serves it over HTTP as Elements and
//! Ocean nodes do, relays blocks and transactions to other devnet nodes, and stores them on disk on
//! request. Within its limits, a client that works with it works with a real node:
//!
//! - headers, blocks and the genesis block are serialised as by the real nodes; a template on an
//!   empty chain is byte for byte that of `elementsd`;
//! - a block needs M signatures by the chain's own rules, the right height, previous block and
//!   time, and transactions that spend only existing outputs, once, and create only what they
//!   issue;
//! - on a dynafed chain blocks propose parameters, and those proposed by four fifths of an epoch's
//!   blocks are in force from the next epoch on, including the signers;
//! - RPC responses have the nodes' form: 1.0 bodies, status 500 for errors, 401 without a body.
//!
//! On Elements, blinded outputs are checked by the consensus rules: sums, range proofs, surjection
//! proofs, and that a reissuance reveals the blinding factor of its token. The wallet blinds only
//! reissuance tokens and payments to confidential addresses.
//!
//! It does not support blinded issuances, pegs, fee estimation, scripts other than
//! anyone-can-spend, pay-to-public-key-hash and M-of-N by script hash, with or without witness
//! (others are refused), replacing a block by another one of the same height, the real nodes'
//! peer-to-peer protocol, or Ocean's policy assets. An Ocean genesis block made here has one
//! anyone-can-spend output instead of a hundred. Fees are burnt.
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
