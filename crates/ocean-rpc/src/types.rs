//! The nodes' results, as far as an operator needs them. Unknown fields are ignored; fields that
//! only one family has are optional.

use federation_chain::{BlockHash, BlockHeight};
use serde::{Deserialize, Deserializer};

/// `getblockchaininfo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct BlockchainInfo {
    /// The chain's name.
    pub chain: String,
    /// Height of the best block.
    pub blocks: BlockHeight,
    /// Height of the best known header.
    pub headers: BlockHeight,
    /// Hash of the best block.
    #[serde(rename = "bestblockhash", deserialize_with = "displayed")]
    pub best_block_hash: BlockHash,
    /// Median time of the last eleven blocks, in seconds.
    #[serde(rename = "mediantime")]
    pub median_time: u64,
    /// Elements: the script or program that the next block's signatures must satisfy, in hex.
    pub current_signblock_hex: Option<String>,
    /// Elements: the limit on the size of a block's signatures, in bytes.
    pub max_block_witness: Option<u32>,
    /// Elements with dynafed active: the root of the parameters in force.
    pub current_params_root: Option<String>,
    /// Elements with dynafed active: the number of blocks in an epoch.
    pub epoch_length: Option<u32>,
    /// Whether the node considers itself far behind.
    #[serde(rename = "initialblockdownload", default)]
    pub initial_block_download: bool,
}

impl BlockchainInfo {
    /// Creates the state of a synchronised Ocean chain, for other implementations of
    /// [`Node`](crate::Node). All fields that only Elements has are `None`.
    #[must_use]
    pub fn new(
        chain: impl Into<String>,
        blocks: BlockHeight,
        best_block_hash: BlockHash,
        median_time: u64,
    ) -> Self {
        Self {
            chain: chain.into(),
            blocks,
            headers: blocks,
            best_block_hash,
            median_time,
            current_signblock_hex: None,
            max_block_witness: None,
            current_params_root: None,
            epoch_length: None,
            initial_block_download: false,
        }
    }
}

/// `getnetworkinfo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct NetworkInfo {
    /// The node's version as a number.
    pub version: u64,
    /// The node's name and version.
    pub subversion: String,
    /// The median offset of its peers' clocks, in seconds.
    #[serde(rename = "timeoffset")]
    pub time_offset: i64,
    /// The number of its peers.
    pub connections: u32,
}

impl NetworkInfo {
    /// Creates a node without peers, for other implementations of [`Node`](crate::Node).
    #[must_use]
    pub fn new(version: u64, subversion: impl Into<String>) -> Self {
        Self {
            version,
            subversion: subversion.into(),
            time_offset: 0,
            connections: 0,
        }
    }
}

/// `getsidechaininfo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SidechainInfo {
    /// The script that holds the parent chain's coins, in hex.
    pub fedpegscript: String,
    /// The pegged asset's id, in hex.
    pub pegged_asset: String,
    /// The parent chain's genesis hash.
    #[serde(deserialize_with = "displayed")]
    pub parent_blockhash: BlockHash,
    /// Elements: whether peg-outs need an authorised key.
    #[serde(default)]
    pub enforce_pak: bool,
}

/// `getmempoolinfo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct MempoolInfo {
    /// The number of transactions.
    pub size: u64,
    /// Their virtual size, in bytes.
    pub bytes: u64,
}

/// A header as decoded by `getblockheader`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct HeaderInfo {
    /// Its hash.
    #[serde(deserialize_with = "displayed")]
    pub hash: BlockHash,
    /// Its height.
    pub height: BlockHeight,
    /// The number of blocks from it to the best block, inclusive; -1 if it is not in the best
    /// chain.
    pub confirmations: i64,
    /// Its time, in seconds.
    pub time: u64,
    /// Median time of it and the ten blocks before it, in seconds.
    #[serde(rename = "mediantime")]
    pub median_time: u64,
    /// Hash of the previous block; `None` for the genesis block.
    #[serde(
        rename = "previousblockhash",
        default,
        deserialize_with = "displayed_option"
    )]
    pub previous: Option<BlockHash>,
}

impl HeaderInfo {
    /// Creates the header of the best block, for other implementations of [`Node`](crate::Node).
    /// `median_time` is `time` until it is set.
    #[must_use]
    pub const fn new(
        hash: BlockHash,
        height: BlockHeight,
        previous: Option<BlockHash>,
        time: u64,
    ) -> Self {
        Self {
            hash,
            height,
            confirmations: 1,
            time,
            median_time: time,
            previous,
        }
    }
}

/// The outcome of `submitblock`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitOutcome {
    /// The block was accepted.
    Accepted,
    /// The node already has the block. On Elements this includes blocks outside the best chain.
    Duplicate,
    /// The node rejected it, for this reason.
    Rejected(String),
}

/// `issueasset`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Issuance {
    /// The transaction's id.
    pub txid: String,
    /// The new asset's id.
    pub asset: String,
    /// The reissuance token's id.
    #[serde(default)]
    pub token: String,
}

/// `reissueasset`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Reissuance {
    /// The transaction's id.
    pub txid: String,
}

/// `getrawtransaction`, as far as it concerns the transaction's block.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct TransactionInfo {
    /// The transaction's id.
    pub txid: String,
    /// Hash of the block that contains it; `None` while it is unconfirmed.
    #[serde(rename = "blockhash", default, deserialize_with = "displayed_option")]
    pub block_hash: Option<BlockHash>,
    /// The number of blocks from that block to the best block, inclusive.
    #[serde(default)]
    pub confirmations: u32,
}

/// Deserialises a hash as RPC displays it.
fn displayed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BlockHash, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn displayed_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BlockHash>, D::Error> {
    displayed(deserializer).map(Some)
}
