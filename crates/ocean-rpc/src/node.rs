//! The calls that an operator needs from a node, as a trait, and the client's implementation.

use async_trait::async_trait;
use bytes::Bytes;
use federation_chain::{BlockHash, BlockHeight, Dialect, Header};
use serde::Serialize;
use serde_json::Value;

use crate::{
    BlockchainInfo, ChainReport, HeaderInfo, Method, NetworkInfo, NodeClient, Repeat, RpcError,
    SubmitOutcome,
    error::clipped,
    params::{self, Hex},
};

/// The fee, in satoshi, that a transaction is treated as paying if it must be included: above what
/// any node requires for a transaction of a few hundred bytes.
const INCLUDED_AS_IF_PAID: u64 = 10_000_000;

/// The calls that an operator needs from a node. Every method fails if the node cannot be reached,
/// or with the node's own error. [`contract::node`](crate::contract::node) tests an implementation.
#[async_trait]
pub trait Node: Send + Sync + 'static {
    /// Returns the block format of the node's chain.
    async fn dialect(&self) -> Result<Dialect, RpcError>;
    /// Returns the height of the best block.
    async fn block_count(&self) -> Result<BlockHeight, RpcError>;
    /// Returns the hash of the best block.
    async fn best_block_hash(&self) -> Result<BlockHash, RpcError>;
    /// Returns the hash of the block at a height.
    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError>;
    /// Returns a header, as decoded by the node.
    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError>;
    /// Returns a serialised header.
    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError>;
    /// Returns a serialised block.
    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError>;
    /// Returns a new, unsigned block on top of the best block.
    async fn new_block(&self) -> Result<Bytes, RpcError>;
    /// Checks whether an unsigned block may become the next one. If not, the error is
    /// [`RpcError::Node`], on Elements with the code [`RpcError::VERIFY_ALREADY_IN_CHAIN`] if the
    /// node already has the signed block, in its best chain or not.
    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError>;
    /// Passes a transaction to the node, for inclusion in its next block even if it pays no fee.
    /// `txid` is its id as displayed.
    async fn include_transaction(&self, txid: &str, transaction: &[u8]) -> Result<(), RpcError>;
    /// Submits a complete block to the node.
    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError>;
    /// Returns the state of the chain.
    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError>;
    /// Returns the node's version and peers.
    async fn network_info(&self) -> Result<NetworkInfo, RpcError>;
    /// Returns the settings of the node's chain.
    async fn chain_report(&self) -> Result<ChainReport, RpcError>;
    /// Returns whether dynafed can still activate on a chain that does not have it: by signalling,
    /// or at a given time. A node without a method that tells does not know dynafed.
    async fn dynafed_can_begin(&self) -> Result<bool, RpcError> {
        Ok(false)
    }
}

#[async_trait]
impl Node for NodeClient {
    async fn dialect(&self) -> Result<Dialect, RpcError> {
        if let Some(dialect) = self.dialect.get() {
            return Ok(*dialect);
        }
        let found = self.find_dialect().await?;
        Ok(*self.dialect.get_or_init(|| found))
    }

    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        self.request(Method::GetBlockCount, params::NONE, Repeat::Safe)
            .await
    }

    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        self.hash(Method::GetBestBlockHash, params::NONE).await
    }

    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> {
        self.hash(Method::GetBlockHash, (height.to_u32(),)).await
    }

    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError> {
        self.request(
            Method::GetBlockHeader,
            (hash.to_string(), true),
            Repeat::Safe,
        )
        .await
    }

    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        self.request_bytes(Method::GetBlockHeader, (hash.to_string(), false))
            .await
    }

    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        let hash = hash.to_string();
        // Ocean knows true and false, Elements numbers.
        match self.dialect().await? {
            Dialect::Ocean => self.request_bytes(Method::GetBlock, (hash, false)).await,
            Dialect::Elements | Dialect::Dynafed => {
                self.request_bytes(Method::GetBlock, (hash, 0)).await
            }
        }
    }

    async fn new_block(&self) -> Result<Bytes, RpcError> {
        self.request_bytes(Method::GetNewBlockHex, params::NONE)
            .await
    }

    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError> {
        self.request(Method::TestProposedBlock, (Hex(block),), Repeat::Safe)
            .await
    }

    async fn include_transaction(&self, txid: &str, transaction: &[u8]) -> Result<(), RpcError> {
        // The second parameter is a dummy in Elements and a priority in Ocean.
        let prioritised: Result<bool, _> = self
            .request(
                Method::PrioritiseTransaction,
                (txid, 0, INCLUDED_AS_IF_PAID),
                Repeat::Never,
            )
            .await;
        match prioritised {
            Err(error) if error.code() != Some(RpcError::METHOD_NOT_FOUND) => return Err(error),
            _ => {}
        }
        self.request::<String>(
            Method::SendRawTransaction,
            (Hex(transaction),),
            Repeat::Safe,
        )
        .await
        .map(|_| ())
    }

    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError> {
        let answer: Option<String> = self
            .request(Method::SubmitBlock, (Hex(block),), Repeat::Safe)
            .await?;
        Ok(match answer {
            None => SubmitOutcome::Accepted,
            Some(reason) if reason == "duplicate" => SubmitOutcome::Duplicate,
            Some(reason) => SubmitOutcome::Rejected(clipped(reason)),
        })
    }

    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        self.request(Method::GetBlockchainInfo, params::NONE, Repeat::Safe)
            .await
    }

    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        self.request(Method::GetNetworkInfo, params::NONE, Repeat::Safe)
            .await
    }

    async fn chain_report(&self) -> Result<ChainReport, RpcError> {
        let genesis = self.block_hash(BlockHeight::GENESIS).await?;
        let blockchain: Value = self
            .request(Method::GetBlockchainInfo, params::NONE, Repeat::Safe)
            .await?;
        let sidechain = self
            .request(Method::GetSidechainInfo, params::NONE, Repeat::Safe)
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
                // A pruned node may not have it any more.
                Err(RpcError::Node { .. }) => None,
                block => Some(block?),
            }
        };
        Ok(ChainReport {
            genesis,
            blockchain,
            sidechain,
            first_block,
        })
    }

    async fn dynafed_can_begin(&self) -> Result<bool, RpcError> {
        let answer = self
            .request::<Value>(Method::GetDeploymentInfo, params::NONE, Repeat::Safe)
            .await;
        let info = match answer {
            Err(error) if error.code() == Some(RpcError::METHOD_NOT_FOUND) => return Ok(false),
            answer => answer?,
        };
        // A deployment that never starts is not in the list.
        let dynafed = &info["deployments"]["dynafed"];
        let is_over = dynafed["bip9"]["status"] == "failed";
        let is_active = dynafed["active"] == true;
        Ok(!dynafed.is_null() && !is_over && !is_active)
    }
}

impl NodeClient {
    /// Determines the dialect from the form of the node's next block. Names and versions do not
    /// help: Ocean uses Bitcoin's name, and both nodes have forks.
    async fn find_dialect(&self) -> Result<Dialect, RpcError> {
        let info = self.blockchain_info().await?;
        // With dynafed, this is set from the genesis block on, although that block's header has the
        // old form.
        if info.current_params_root.is_some() {
            return Ok(Dialect::Dynafed);
        }
        let hash = info.best_block_hash;
        let bytes = self.header(hash).await?;
        [Dialect::Ocean, Dialect::Elements]
            .into_iter()
            .filter_map(|family| Header::decode(family, &bytes).ok())
            .find(|header| header.block_hash() == hash)
            .map(|header| header.dialect())
            .ok_or_else(|| {
                RpcError::UnknownDialect(format!(
                    "the header of block {hash} is not that of a signed chain"
                ))
            })
    }

    async fn hash(&self, method: Method, params: impl Serialize) -> Result<BlockHash, RpcError> {
        let text: String = self.request(method, params, Repeat::Safe).await?;
        text.parse()
            .map_err(|error| RpcError::unexpected(method.as_str(), &error))
    }
}
