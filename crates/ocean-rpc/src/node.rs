//! What an operator needs of a node, as a trait, and the client's way to do it.

use async_trait::async_trait;
use bytes::Bytes;
use federation_chain::{BlockHash, BlockHeight, Dialect};
use hex_conservative::{DisplayHex, FromHex};
use serde_json::{Value, json};

use crate::{
    Amount, BlockchainInfo, HeaderInfo, Issuance, MempoolInfo, NetworkInfo, NodeClient, Reissuance,
    Repeat, RpcError, SidechainInfo, SubmitOutcome, types::Balances,
};

/// What an operator needs of a node.
#[async_trait]
pub trait Node: Send + Sync + 'static {
    /// The block format of the node's chain.
    async fn dialect(&self) -> Result<Dialect, RpcError>;
    /// Height of the best block.
    async fn block_count(&self) -> Result<BlockHeight, RpcError>;
    /// Hash of the best block.
    async fn best_block_hash(&self) -> Result<BlockHash, RpcError>;
    /// Hash of the block at a height.
    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError>;
    /// A header, explained.
    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError>;
    /// A header's bytes.
    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError>;
    /// A block's bytes.
    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError>;
    /// A new, unsigned block on the tip.
    async fn new_block(&self) -> Result<Bytes, RpcError>;
    /// Asks whether an unsigned block may become the next one; refused is [`RpcError::Node`].
    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError>;
    /// Hands a complete block to the node.
    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError>;
    /// The chain's state.
    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError>;
    /// The node's version and peers.
    async fn network_info(&self) -> Result<NetworkInfo, RpcError>;
}

#[async_trait]
impl Node for NodeClient {
    async fn dialect(&self) -> Result<Dialect, RpcError> {
        if let Some(dialect) = self.dialect.get() {
            return Ok(*dialect);
        }
        let network = self.network_info().await?;
        let found = if network.subversion.contains("Elements") {
            // The root is there from the genesis block on where dynafed is active.
            match self.blockchain_info().await?.current_params_root {
                Some(_) => Dialect::Dynafed,
                None => Dialect::Elements,
            }
        } else if network.version >= 2_000_000 {
            // Ocean counts its own versions and kept Bitcoin's name.
            Dialect::Ocean
        } else {
            return Err(RpcError::UnknownDialect(format!(
                "the node calls itself {} {}",
                network.subversion, network.version
            )));
        };
        Ok(*self.dialect.get_or_init(|| found))
    }

    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        self.call_with("getblockcount", &[], Repeat::Safe).await
    }

    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        self.hash("getbestblockhash", &[]).await
    }

    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> {
        self.hash("getblockhash", &[json!(height.to_u32())]).await
    }

    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError> {
        let params = [json!(hash.to_string()), json!(true)];
        self.call_with("getblockheader", &params, Repeat::Safe)
            .await
    }

    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        let params = [json!(hash.to_string()), json!(false)];
        self.bytes("getblockheader", &params).await
    }

    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        // Ocean knows true and false, Elements numbers.
        let raw = match self.dialect().await? {
            Dialect::Ocean => json!(false),
            Dialect::Elements | Dialect::Dynafed => json!(0),
        };
        self.bytes("getblock", &[json!(hash.to_string()), raw])
            .await
    }

    async fn new_block(&self) -> Result<Bytes, RpcError> {
        self.bytes("getnewblockhex", &[]).await
    }

    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError> {
        let params = [Value::String(block.to_lower_hex_string())];
        self.call_with("testproposedblock", &params, Repeat::Safe)
            .await
    }

    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError> {
        let params = [Value::String(block.to_lower_hex_string())];
        let answer: Option<String> = self.call_with("submitblock", &params, Repeat::Safe).await?;
        Ok(match answer.as_deref() {
            None => SubmitOutcome::Accepted,
            Some("duplicate") => SubmitOutcome::Duplicate,
            Some(reason) => SubmitOutcome::Rejected(reason.to_owned()),
        })
    }

    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        self.call_with("getblockchaininfo", &[], Repeat::Safe).await
    }

    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        self.call_with("getnetworkinfo", &[], Repeat::Safe).await
    }
}

impl NodeClient {
    /// The sidechain's parameters (Elements).
    ///
    /// # Errors
    /// If the node gives none.
    pub async fn sidechain_info(&self) -> Result<SidechainInfo, RpcError> {
        self.call_with("getsidechaininfo", &[], Repeat::Safe).await
    }

    /// What waits to get into a block.
    ///
    /// # Errors
    /// If the node gives no answer.
    pub async fn mempool_info(&self) -> Result<MempoolInfo, RpcError> {
        self.call_with("getmempoolinfo", &[], Repeat::Safe).await
    }

    /// The ids of what waits to get into a block.
    ///
    /// # Errors
    /// If the node gives no answer.
    pub async fn raw_mempool(&self) -> Result<Vec<String>, RpcError> {
        self.call_with("getrawmempool", &[], Repeat::Safe).await
    }

    /// A transaction's bytes.
    ///
    /// # Errors
    /// If the node does not know it.
    pub async fn raw_transaction(&self, txid: &str) -> Result<Bytes, RpcError> {
        self.bytes("getrawtransaction", &[json!(txid)]).await
    }

    /// Sends a transaction; sending it twice is an error of the node's.
    ///
    /// # Errors
    /// If the node refuses it.
    pub async fn send_raw_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        self.call(
            "sendrawtransaction",
            &[json!(transaction.to_lower_hex_string())],
        )
        .await
    }

    /// A new address of the wallet.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn new_address(&self) -> Result<String, RpcError> {
        self.call("getnewaddress", &[]).await
    }

    /// Issues an asset and its reissuance tokens, unblinded, to the wallet.
    ///
    /// # Errors
    /// If the wallet cannot pay for it.
    pub async fn issue_asset(&self, amount: Amount, tokens: Amount) -> Result<Issuance, RpcError> {
        self.call("issueasset", &[json!(amount), json!(tokens), json!(false)])
            .await
    }

    /// Makes more of an asset, if the wallet holds its reissuance token.
    ///
    /// # Errors
    /// If it does not.
    pub async fn reissue_asset(&self, asset: &str, amount: Amount) -> Result<Reissuance, RpcError> {
        self.call("reissueasset", &[json!(asset), json!(amount)])
            .await
    }

    /// The wallet's balance of every asset, by label or id.
    ///
    /// # Errors
    /// If the node has no wallet loaded.
    pub async fn balances(&self) -> Result<std::collections::BTreeMap<String, Amount>, RpcError> {
        self.call_with::<Balances>("getbalance", &[], Repeat::Safe)
            .await
    }

    /// Loads a wallet, or makes it if there is none: a legacy one on Elements, which the nodes'
    /// own block signing needs. Ocean has its one wallet always.
    ///
    /// # Errors
    /// If the node can do neither.
    pub async fn ensure_wallet(&self, name: &str) -> Result<(), RpcError> {
        if self.dialect().await? == Dialect::Ocean {
            return Ok(());
        }
        let loaded: Vec<String> = self.call_with("listwallets", &[], Repeat::Safe).await?;
        if loaded.iter().any(|wallet| wallet == name) {
            return Ok(());
        }
        match self.call::<Value>("loadwallet", &[json!(name)]).await {
            Ok(_) => Ok(()),
            Err(RpcError::Node { .. }) => {
                let (no, none) = (json!(false), json!(""));
                let params = [json!(name), no.clone(), no.clone(), none, no.clone(), no];
                self.call::<Value>("createwallet", &params)
                    .await
                    .map(|_| ())
            }
            Err(error) => Err(error),
        }
    }

    /// Tells the node to connect to another one.
    ///
    /// # Errors
    /// If the node refuses, for example because it knows the peer already.
    pub async fn add_node(&self, address: &str) -> Result<(), RpcError> {
        self.call("addnode", &[json!(address), json!("add")]).await
    }

    /// Tells the node to stop.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn stop(&self) -> Result<(), RpcError> {
        self.call::<Value>("stop", &[]).await.map(|_| ())
    }

    async fn hash(&self, method: &str, params: &[Value]) -> Result<BlockHash, RpcError> {
        let text: String = self.call_with(method, params, Repeat::Safe).await?;
        text.parse().map_err(|error| unexpected(method, &error))
    }

    async fn bytes(&self, method: &str, params: &[Value]) -> Result<Bytes, RpcError> {
        let raw = self.call_raw(method, params, Repeat::Safe).await?;
        Vec::<u8>::from_hex(raw.get().trim_matches('"'))
            .map(Bytes::from)
            .map_err(|error| unexpected(method, &error))
    }
}

fn unexpected(method: &str, reason: &dyn core::fmt::Display) -> RpcError {
    RpcError::Unexpected {
        method: method.to_owned(),
        reason: reason.to_string(),
    }
}
