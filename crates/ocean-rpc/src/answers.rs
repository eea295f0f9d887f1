//! What a node tells of the settings of its chain.

use bytes::Bytes;
use federation_chain::{BlockHash, BlockHeight};
use serde_json::Value;

use crate::{Node, NodeClient, Repeat, RpcError, params};

/// What a node tells of the settings of its chain, as it tells it: families and versions differ in
/// what they tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is what was asked for")]
pub struct ChainAnswers {
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// `getblockchaininfo`.
    pub blockchain: Value,
    /// `getsidechaininfo`; null if the node has no such call.
    pub sidechain: Value,
    /// Block 1, if the chain has it already and the node still does.
    pub first_block: Option<Bytes>,
}

impl NodeClient {
    /// Asks for all that the node tells of the settings of its chain.
    ///
    /// # Errors
    /// If the node gives no answer.
    pub async fn ask_chain(&self) -> Result<ChainAnswers, RpcError> {
        let genesis = self.block_hash(BlockHeight::GENESIS).await?;
        let blockchain: Value = self
            .request("getblockchaininfo", params::NONE, Repeat::Safe)
            .await?;
        let sidechain = self
            .request("getsidechaininfo", params::NONE, Repeat::Safe)
            .await;
        let sidechain = match sidechain {
            Err(error) if error.code() == Some(RpcError::METHOD_NOT_FOUND) => Value::Null,
            answer => answer?,
        };
        let first_block = if blockchain["blocks"].as_u64().unwrap_or_default() == 0 {
            None
        } else {
            let hash = self.block_hash(BlockHeight::new(1)).await?;
            match self.block(hash).await {
                // A node that prunes does not have it any more.
                Err(RpcError::Node { .. }) => None,
                block => Some(block?),
            }
        };
        Ok(ChainAnswers {
            genesis,
            blockchain,
            sidechain,
            first_block,
        })
    }
}
