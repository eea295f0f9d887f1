//! Calls about the chain, its transactions and the node that go beyond [`Node`].
//!
//! [`Node`]: crate::Node

use std::time::Duration;

use bytes::Bytes;
use federation_chain::{BlockHash, BlockHeight};

use crate::{
    MempoolInfo, Method, Node, NodeClient, Repeat, RpcError, SidechainInfo, TransactionInfo,
    params::{self, Hex},
};

impl NodeClient {
    /// Returns the hash of the genesis block, which is the same on all nodes of a chain.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn genesis_hash(&self) -> Result<BlockHash, RpcError> {
        self.block_hash(BlockHeight::GENESIS).await
    }

    /// Returns the sidechain's parameters.
    ///
    /// # Errors
    /// If the node does not report any.
    pub async fn sidechain_info(&self) -> Result<SidechainInfo, RpcError> {
        self.request(Method::GetSidechainInfo, params::NONE, Repeat::Safe)
            .await
    }

    /// Returns the state of the mempool.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn mempool_info(&self) -> Result<MempoolInfo, RpcError> {
        self.request("getmempoolinfo", params::NONE, Repeat::Safe)
            .await
    }

    /// Returns the ids of the transactions in the mempool.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn raw_mempool(&self) -> Result<Vec<String>, RpcError> {
        self.request("getrawmempool", params::NONE, Repeat::Safe)
            .await
    }

    /// Returns a serialised transaction. Once it is in a block, only a node with `txindex=1` finds
    /// it.
    ///
    /// # Errors
    /// If the node does not know it.
    pub async fn raw_transaction(&self, txid: &str) -> Result<Bytes, RpcError> {
        self.request_bytes("getrawtransaction", (txid,)).await
    }

    /// Returns the block that contains a transaction, if any. Once it is in a block, only a node
    /// with `txindex=1` finds it.
    ///
    /// # Errors
    /// If the node does not know it.
    pub async fn transaction_info(&self, txid: &str) -> Result<TransactionInfo, RpcError> {
        self.request("getrawtransaction", (txid, true), Repeat::Safe)
            .await
    }

    /// Returns a transaction as decoded by the node; the form differs between families and
    /// versions.
    ///
    /// # Errors
    /// If the bytes are not a transaction.
    pub async fn decode_raw_transaction(
        &self,
        transaction: &[u8],
    ) -> Result<serde_json::Value, RpcError> {
        self.request("decoderawtransaction", (Hex(transaction),), Repeat::Safe)
            .await
    }

    /// Sends a transaction and returns its id. It is never retried automatically.
    ///
    /// # Errors
    /// If the node refuses it.
    pub async fn send_raw_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        self.request(
            Method::SendRawTransaction,
            (Hex(transaction),),
            Repeat::Never,
        )
        .await
    }

    /// Returns how long the node has been running (Elements).
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn uptime(&self) -> Result<Duration, RpcError> {
        self.request("uptime", params::NONE, Repeat::Safe)
            .await
            .map(Duration::from_secs)
    }

    /// Tells the node to connect to another one.
    ///
    /// # Errors
    /// If the node refuses, for example because it already knows the peer.
    pub async fn add_node(&self, address: &str) -> Result<(), RpcError> {
        self.request("addnode", (address, "add"), Repeat::Never)
            .await
    }

    /// Tells the node to stop.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn stop(&self) -> Result<(), RpcError> {
        self.request::<String>("stop", params::NONE, Repeat::Never)
            .await
            .map(|_| ())
    }
}
