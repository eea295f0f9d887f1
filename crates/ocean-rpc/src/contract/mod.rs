//! The contract of [`Node`]: tests that every node passes, for the crates that implement one.
//!
//! They panic on failure, with a message that says what is broken. `elementsd`, `oceand` and the
//! embedded node of `federation-devnet` pass them.
//!
//! ```no_run
//! use federation_chain::Dialect;
//! use federation_ocean_rpc::{NodeClient, NodeConfig, contract};
//! # fn sign(unsigned: &federation_chain::Block) -> federation_chain::Block { unsigned.clone() }
//!
//! # async fn example() -> Result<(), federation_ocean_rpc::RpcError> {
//! // A node alone on a new chain, and a function that signs its blocks.
//! let node = NodeClient::new(NodeConfig::new("http://127.0.0.1:7041"))?;
//! contract::node(&node, Dialect::Dynafed, sign).await;
//! # Ok(())
//! # }
//! ```

mod blocks;
mod reads;
mod refusals;
mod transactions;

use bytes::Bytes;
use federation_chain::{Block, BlockHash, BlockHeight, Dialect};

use crate::{Node, RpcError, SubmitOutcome};

/// `RPC_INVALID_ADDRESS_OR_KEY`: the nodes' code for an unknown block.
const NOT_FOUND: i32 = -5;
/// `RPC_INVALID_PARAMETER`: the nodes' code for a height above the best block.
const OUT_OF_RANGE: i32 = -8;
/// The reason for which a node rejects a block without enough signatures.
const UNSIGNED: &str = "block-proof-invalid";

/// Checks that a node fulfils the contract of [`Node`].
///
/// The node must be at the genesis block of a chain that nobody else extends, and the genesis block
/// must have an explicit output that anyone can spend. `sign` completes an unsigned block.
///
/// # Panics
/// If the node violates the contract.
pub async fn node(
    node: &(impl Node + ?Sized),
    dialect: Dialect,
    sign: impl Fn(&Block) -> Block + Send + Sync,
) {
    let subject = Subject {
        node,
        dialect,
        sign: &sign,
    };
    subject.reads_of_a_new_chain().await;
    subject.reads_of_unknown_blocks().await;
    subject.malformed_blocks_are_refused().await;
    subject.invalid_blocks_are_refused().await;
    subject.blocks_extend_the_chain().await;
    subject.transactions_are_included().await;
    subject.invalid_blocks_are_refused().await;
    subject.other_blocks_do_not_replace_the_best_block().await;
    subject.reads_of_unknown_blocks().await;
}

/// A node under test.
struct Subject<'a, N: ?Sized> {
    node: &'a N,
    dialect: Dialect,
    sign: &'a (dyn Fn(&Block) -> Block + Send + Sync),
}

impl<N: Node + ?Sized> Subject<'_, N> {
    fn decode(&self, bytes: Bytes) -> Block {
        Block::decode(self.dialect, bytes).expect("the bytes are a block")
    }

    fn sign(&self, unsigned: &Block) -> Block {
        (self.sign)(unsigned)
    }

    /// Returns the height and the hash of the best block.
    async fn best(&self) -> (BlockHeight, BlockHash) {
        let height = self.node.block_count().await.expect("block_count succeeds");
        let hash = self.node.best_block_hash().await;
        (height, hash.expect("best_block_hash succeeds"))
    }

    async fn template(&self) -> Block {
        self.decode(self.node.new_block().await.expect("new_block succeeds"))
    }

    async fn submit(&self, block: &Block) -> Result<SubmitOutcome, RpcError> {
        self.node.submit_block(block.as_bytes()).await
    }

    /// Makes a block from a template, which must be accepted.
    async fn extend(&self) -> Block {
        let block = self.sign(&self.template().await);
        assert_eq!(
            self.submit(&block).await,
            Ok(SubmitOutcome::Accepted),
            "a signed template is accepted"
        );
        block
    }
}

/// Asserts that the node itself returned this error.
#[track_caller]
fn assert_code<T: core::fmt::Debug>(result: Result<T, RpcError>, code: i32, call: &str) {
    assert!(
        matches!(&result, Err(RpcError::Node { code: found, message }) if *found == code && !message.is_empty()),
        "{call} must fail with the node's error {code}: {result:?}"
    );
}
