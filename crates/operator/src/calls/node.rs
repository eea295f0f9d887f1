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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::{CallLimits, calls::Answering};

    /// A node that never answers.
    struct Silent;

    macro_rules! silent {
        ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {
            #[async_trait]
            impl Node for Silent {
                $(async fn $name(&self, $(_: $argument),*) -> Result<$answer, RpcError> {
                    core::future::pending().await
                })*
            }
        };
    }

    silent! {
        dialect() -> Dialect;
        block_count() -> BlockHeight;
        best_block_hash() -> BlockHash;
        block_hash(BlockHeight) -> BlockHash;
        header_info(BlockHash) -> HeaderInfo;
        header(BlockHash) -> Bytes;
        block(BlockHash) -> Bytes;
        new_block() -> Bytes;
        test_proposed_block(&[u8]) -> ();
        include_transaction(&str, &[u8]) -> ();
        submit_block(&[u8]) -> SubmitOutcome;
        blockchain_info() -> BlockchainInfo;
        network_info() -> NetworkInfo;
        ask_chain() -> ChainAnswers;
        dynafed_can_begin() -> bool;
    }

    #[async_trait]
    impl ReissuanceNode for Silent {
        async fn send_transaction(&self, _: &[u8]) -> Result<String, RpcError> {
            core::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_of_a_node_that_never_answers_is_waited_for_for_ever() {
        let limit = Duration::from_secs(3);
        let limits = CallLimits {
            node: limit,
            ..CallLimits::default()
        };
        let (sender, mut reports) = mpsc::unbounded_channel();
        let calls = Arc::new(Calls::new(limits, limit, sender));
        let node = LimitedNode::new(Arc::new(Silent), calls);
        let hash = BlockHash::from_bytes([0; 32]);
        let answers = [
            node.dialect().await.err(),
            node.block_count().await.err(),
            node.best_block_hash().await.err(),
            node.block_hash(BlockHeight::GENESIS).await.err(),
            node.header_info(hash).await.err(),
            node.header(hash).await.err(),
            node.block(hash).await.err(),
            node.new_block().await.err(),
            node.test_proposed_block(&[]).await.err(),
            node.include_transaction("", &[]).await.err(),
            node.submit_block(&[]).await.err(),
            node.blockchain_info().await.err(),
            node.network_info().await.err(),
            node.ask_chain().await.err(),
            node.dynafed_can_begin().await.err(),
            node.send_transaction(&[]).await.err(),
        ];
        assert!(
            answers
                .iter()
                .all(|error| *error == Some(RpcError::Timeout(limit)))
        );
        let told = Ok((Part::Node, Answering::GivenUp(limit)));
        assert_eq!(reports.try_recv(), told);
        assert!(reports.try_recv().is_err(), "once");
    }
}
