//! What reissuances need from a node in addition to block signing.

use async_trait::async_trait;
use federation_ocean_rpc::{Node, NodeClient, RpcError};

/// A node that accepts transactions.
#[async_trait]
pub trait ReissuanceNode: Node {
    /// Hands a transaction to the node, which relays it, and returns its id.
    ///
    /// # Errors
    /// If the node does not answer or refuses the transaction.
    async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError>;
}

#[async_trait]
impl ReissuanceNode for NodeClient {
    async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        self.send_raw_transaction(transaction).await
    }
}
