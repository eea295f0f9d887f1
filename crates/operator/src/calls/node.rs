//! A node whose every call has a time-out.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use federation_block_signing::Part;
use federation_chain::{BlockHash, BlockHeight, Dialect};
use federation_ocean_rpc::{
    BlockchainInfo, ChainAnswers, HeaderInfo, NetworkInfo, Node, RpcError, SubmitOutcome,
};

use super::{CallError, Calls};
use crate::ReissuanceNode;

/// A node, and how long it may take.
pub(crate) struct LimitedNode<N: ?Sized> {
    node: Arc<N>,
    calls: Arc<Calls>,
}

impl<N: ?Sized> LimitedNode<N> {
    pub(crate) const fn new(node: Arc<N>, calls: Arc<Calls>) -> Self {
        Self { node, calls }
    }

    async fn ask<T: Send>(
        &self,
        question: impl Future<Output = Result<T, RpcError>> + Send,
    ) -> Result<T, RpcError> {
        match self.calls.wait(Part::Node, question).await {
            Ok(answer) => answer,
            Err(CallError::NoAnswer { limit, .. }) => Err(RpcError::Timeout(limit)),
            // Of calls in tasks of their own only.
            Err(error) => Err(RpcError::Unexpected {
                method: "the node".to_owned(),
                reason: error.to_string(),
            }),
        }
    }
}

#[async_trait]
impl<N: Node + ?Sized> Node for LimitedNode<N> {
    async fn dialect(&self) -> Result<Dialect, RpcError> {
        self.ask(self.node.dialect()).await
    }

    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        self.ask(self.node.block_count()).await
    }

    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        self.ask(self.node.best_block_hash()).await
    }

    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> {
        self.ask(self.node.block_hash(height)).await
    }

    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError> {
        self.ask(self.node.header_info(hash)).await
    }

    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        self.ask(self.node.header(hash)).await
    }

    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        self.ask(self.node.block(hash)).await
    }

    async fn new_block(&self) -> Result<Bytes, RpcError> {
        self.ask(self.node.new_block()).await
    }

    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError> {
        self.ask(self.node.test_proposed_block(block)).await
    }

    async fn include_transaction(&self, txid: &str, transaction: &[u8]) -> Result<(), RpcError> {
        self.ask(self.node.include_transaction(txid, transaction))
            .await
    }

    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError> {
        self.ask(self.node.submit_block(block)).await
    }

    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        self.ask(self.node.blockchain_info()).await
    }

    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        self.ask(self.node.network_info()).await
    }

    async fn ask_chain(&self) -> Result<ChainAnswers, RpcError> {
        self.ask(self.node.ask_chain()).await
    }

    async fn dynafed_can_begin(&self) -> Result<bool, RpcError> {
        self.ask(self.node.dynafed_can_begin()).await
    }
}

#[async_trait]
impl<N: ReissuanceNode + ?Sized> ReissuanceNode for LimitedNode<N> {
    async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        self.ask(self.node.send_transaction(transaction)).await
    }
}
