//! What a node tells of the settings of its chain.

use bytes::Bytes;
use federation_chain::BlockHash;
use serde_json::Value;

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
