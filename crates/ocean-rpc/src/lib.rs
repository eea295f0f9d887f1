//! A typed async JSON-RPC client for Elements and Ocean nodes, on `jsonrpsee`.
//!
//! [`NodeClient`] speaks to one node over HTTP. [`Node`] is what an operator needs of a node, a
//! trait, so that programs and tests can put something else in its place. [`process`] starts and
//! stops real nodes. Blocks go in and out as bytes, amounts as satoshi.
//!
//! The nodes answer in JSON-RPC 1.0 with HTTP status 500 for every error. A layer between
//! `jsonrpsee` and its transport turns that into what `jsonrpsee` expects and keeps what went wrong
//! apart: see [`RpcError`].
//!
//! What is safe to repeat is repeated, with a growing pause, while the node is away, has not made
//! its cookie file, warms up or has a full work queue, and after time-outs and lost connections:
//! reads, `testproposedblock`, `getnewblockhex` and `submitblock`. What sends or makes something
//! is not. Any other method goes through [`NodeClient::call`], which does not repeat, or
//! [`NodeClient::call_with`].
//!
//! The client keeps no connection open, no state of the chain and no wallet; it does not check
//! blocks, and it speaks plain HTTP as the nodes do: reach a node on another machine by a tunnel.
//!
//! ```no_run
//! use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig};
//! # async fn example() -> Result<(), federation_ocean_rpc::RpcError> {
//! let config = NodeConfig::new("http://127.0.0.1:7041")
//!     .with_auth(Auth::Cookie("/home/op/.elements/liquidv1/.cookie".into()));
//! let node = NodeClient::new(config)?;
//! println!("{} blocks, a {} chain", node.block_count().await?.to_u32(), node.dialect().await?);
//! let balance: serde_json::Value = node.wallet("main")?.call("getbalance", &[]).await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod amount;
mod answers;
mod calls;
mod client;
mod config;
mod credentials;
mod error;
mod methods;
mod middleware;
mod node;
mod params;
mod ports;
pub mod process;
mod types;
mod wallet;

pub use amount::{Amount, ParseAmountError};
pub use answers::ChainAnswers;
pub use client::{NodeClient, Repeat};
pub use config::{Auth, NodeConfig};
pub use error::RpcError;
pub use methods::{Allowed, Method, Need};
pub use node::Node;
pub use types::{
    BlockchainInfo, HeaderInfo, Issuance, MempoolInfo, NetworkInfo, Reissuance, SidechainInfo,
    SubmitOutcome, TransactionInfo,
};
