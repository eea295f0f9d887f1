//! A typed async JSON-RPC client for Elements and Ocean nodes, on `jsonrpsee`.
//!
//! [`NodeClient`] talks to one node over HTTP. The trait [`Node`] has the calls that an operator
//! needs, so that programs and tests can use something else instead; [`contract`] tests whether it
//! behaves as the nodes do. [`process`] starts and stops real nodes. Blocks are passed as bytes,
//! amounts in satoshi.
//!
//! The nodes implement JSON-RPC 1.0, with HTTP status 500 for every error. A layer between
//! `jsonrpsee` and its transport translates that into what `jsonrpsee` expects, and keeps the kinds
//! of errors apart: see [`RpcError`].
//!
//! Calls that are safe to repeat are retried, with a growing pause, while the node is down, has not
//! written its cookie file, is warming up or has a full work queue, and after timeouts and lost
//! connections: reads, `testproposedblock`, `getnewblockhex` and `submitblock`. Calls that send or
//! create something are not retried. Any other method can be called with [`NodeClient::call`],
//! which does not retry, or [`NodeClient::call_with`].
//!
//! The client keeps no connection open, no state of the chain and no wallet. It does not check
//! blocks. It uses plain HTTP, as the nodes do: use a tunnel to reach a node on another machine.
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
mod calls;
mod chain_report;
mod client;
mod config;
pub mod contract;
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
pub use chain_report::ChainReport;
pub use client::{NodeClient, Repeat};
pub use config::{Auth, NodeConfig};
pub use error::RpcError;
pub use methods::{Allowed, Method, Need};
pub use node::Node;
pub use types::{
    BlockchainInfo, HeaderInfo, Issuance, MempoolInfo, NetworkInfo, Reissuance, SidechainInfo,
    SubmitOutcome, TransactionInfo,
};
