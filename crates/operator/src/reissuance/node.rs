//! What reissuances need of a node beyond what block signing does.

use async_trait::async_trait;
use federation_ocean_rpc::{Node, NodeClient, RpcError};

/// A node that takes transactions.
#[async_trait]
pub trait ReissuanceNode: Node {
    /// Hands a transaction to the node, which passes it on, and gives its id.
    ///
    /// # Errors
    /// If the node gives no answer, or refuses the transaction.
    async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError>;
}

#[async_trait]
impl ReissuanceNode for NodeClient {
    async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        self.send_raw_transaction(transaction).await
    }
}
