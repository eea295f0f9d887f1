//! A node all of whose calls have a timeout.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use federation_block_signing::Part;
use federation_chain::{BlockHash, BlockHeight, Dialect};
use federation_ocean_rpc::{
    BlockchainInfo, ChainReport, HeaderInfo, NetworkInfo, Node, RpcError, SubmitOutcome,
};

use super::{CallError, Calls};
use crate::ReissuanceNode;

/// A node, and the limit for its calls.
pub(crate) struct LimitedNode<N: ?Sized> {
    node: Arc<N>,
    calls: Arc<Calls>,
}

impl<N: ?Sized> LimitedNode<N> {
    pub(crate) const fn new(node: Arc<N>, calls: Arc<Calls>) -> Self {
        Self { node, calls }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, RpcError>> + Send + 'static,
    ) -> Result<T, RpcError> {
        match self.calls.run(Part::Node, question).await {
            Ok(answer) => answer,
            Err(CallError::NoAnswer { limit, .. }) => Err(RpcError::Timeout(limit)),
            Err(error) => Err(RpcError::Unexpected {
                method: "the node".to_owned(),
                reason: error.to_string(),
            }),
        }
    }
}

/// Calls the node in a task of its own, which owns the arguments.
macro_rules! ask {
    ($this:ident.$method:ident($($argument:expr),*) $(with $($owned:ident),+)?) => {{
        let node = $this.node.clone();
        $($(let $owned = $owned.to_owned();)+)?
        $this.ask(async move { node.$method($($argument),*).await }).await
    }};
}

#[async_trait]
impl<N: Node + ?Sized + 'static> Node for LimitedNode<N> {
    async fn dialect(&self) -> Result<Dialect, RpcError> {
        ask!(self.dialect())
    }

    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        ask!(self.block_count())
    }

    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        ask!(self.best_block_hash())
    }

    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> {
        ask!(self.block_hash(height))
    }

    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError> {
        ask!(self.header_info(hash))
    }

    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        ask!(self.header(hash))
    }

    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        ask!(self.block(hash))
    }

    async fn new_block(&self) -> Result<Bytes, RpcError> {
        ask!(self.new_block())
    }

    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError> {
        ask!(self.test_proposed_block(&block) with block)
    }

    async fn include_transaction(&self, txid: &str, transaction: &[u8]) -> Result<(), RpcError> {
        ask!(self.include_transaction(&txid, &transaction) with txid, transaction)
    }

    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError> {
        ask!(self.submit_block(&block) with block)
    }

    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        ask!(self.blockchain_info())
    }

    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        ask!(self.network_info())
    }

    async fn chain_report(&self) -> Result<ChainReport, RpcError> {
        ask!(self.chain_report())
    }

    async fn dynafed_can_begin(&self) -> Result<bool, RpcError> {
        ask!(self.dynafed_can_begin())
    }
}

#[async_trait]
impl<N: ReissuanceNode + ?Sized + 'static> ReissuanceNode for LimitedNode<N> {
    async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        ask!(self.send_transaction(&transaction) with transaction)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, PoisonError, mpsc::Receiver},
        time::Duration,
    };

    use tokio::sync::mpsc;

    use super::*;
    use crate::{CallLimits, calls::Answering};

    /// A node that never answers.
    #[derive(Default)]
    struct Silent {
        /// If set, a call blocks its thread until a message arrives here or the sender is dropped.
        blocked: Option<Mutex<Receiver<()>>>,
    }

    impl Silent {
        async fn hang<T>(&self) -> T {
            if let Some(blocked) = &self.blocked {
                let blocked = blocked.lock().unwrap_or_else(PoisonError::into_inner);
                // Bounded, so that the test ends even if nothing else makes progress.
                let _ = blocked.recv_timeout(Duration::from_secs(60));
            }
            core::future::pending().await
        }
    }

    macro_rules! silent {
        ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {
            #[async_trait]
            impl Node for Silent {
                $(async fn $name(&self, $(_: $argument),*) -> Result<$answer, RpcError> {
                    self.hang().await
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
        chain_report() -> ChainReport;
        dynafed_can_begin() -> bool;
    }

    #[async_trait]
    impl ReissuanceNode for Silent {
        async fn send_transaction(&self, _: &[u8]) -> Result<String, RpcError> {
            self.hang().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_of_a_node_that_never_answers_times_out() {
        let limit = Duration::from_secs(3);
        let limits = CallLimits {
            node: limit,
            ..CallLimits::default()
        };
        let (sender, mut reports) = mpsc::unbounded_channel();
        let calls = Arc::new(Calls::new(limits, limit, sender));
        let node = LimitedNode::new(Arc::new(Silent::default()), calls);
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
            node.chain_report().await.err(),
            node.dynafed_can_begin().await.err(),
            node.send_transaction(&[]).await.err(),
        ];
        assert!(
            answers
                .iter()
                .all(|error| *error == Some(RpcError::Timeout(limit)))
        );
        let reported = Ok((Part::Node, Answering::GivenUp(limit)));
        assert_eq!(reports.try_recv(), reported);
        assert!(reports.try_recv().is_err(), "reported once");
    }

    /// A single worker is enough, although the call blocks it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_node_that_blocks_its_thread_is_reported_and_given_up() {
        let limit = Duration::from_millis(100);
        let limits = CallLimits {
            node: limit,
            ..CallLimits::default()
        };
        let (sender, mut reports) = mpsc::unbounded_channel();
        let calls = Arc::new(Calls::new(limits, limit, sender));
        let (release, blocked) = std::sync::mpsc::channel();
        let node = Silent {
            blocked: Some(Mutex::new(blocked)),
        };
        let node = LimitedNode::new(Arc::new(node), calls);
        assert_eq!(node.block_count().await, Err(RpcError::Timeout(limit)));
        let reported = Ok((Part::Node, Answering::GivenUp(limit)));
        assert_eq!(reports.try_recv(), reported);
        drop(release);
    }
}
