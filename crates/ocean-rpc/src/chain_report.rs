//! The settings of a chain, as its node reports them.

use bytes::Bytes;
use federation_chain::BlockHash;
use serde_json::Value;

/// The settings of a chain, in the node's own form: families and versions report different fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "one field per question")]
pub struct ChainReport {
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// `getblockchaininfo`.
    pub blockchain: Value,
    /// `getsidechaininfo`; null if the node does not have the method.
    pub sidechain: Value,
    /// Block 1, if the chain has one and the node has not pruned it.
    pub first_block: Option<Bytes>,
}
