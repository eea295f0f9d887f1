//! What reissuances need of an Ocean node.

use async_trait::async_trait;
use federation_ocean_rpc::{NodeClient, RpcError};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// Why the node is of no use for reissuances.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// It gave no answer, or refused.
    #[error("the node: {0}")]
    Rpc(#[from] RpcError),
    /// It does not record issuances.
    #[error("the node tells no entropy of assets: start it with -recordinflation=1 -rescan=1")]
    NoRecord,
    /// An answer that is not what it should be.
    #[error("the node's answer to {0} is not understood")]
    Answer(&'static str),
}

/// An asset of `getutxoassetinfo`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct UtxoAsset {
    /// Its id.
    pub asset: String,
    /// Its reissuance token, if the node has recorded its issuance.
    #[serde(default)]
    pub token: String,
    /// Its entropy, if the node has recorded its issuance.
    #[serde(default)]
    pub entropy: String,
    #[serde(rename = "amountspendable")]
    spendable: Box<RawValue>,
}

/// An output of `listunspent`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Unspent {
    /// Its transaction.
    pub txid: String,
    /// Its place in it.
    pub vout: u32,
    /// Its address, if its script has one.
    #[serde(default)]
    pub address: Option<String>,
    /// Its asset.
    #[serde(default)]
    pub asset: String,
    /// How many blocks from its own to the best, both counted.
    pub confirmations: u32,
    amount: Box<RawValue>,
}

/// An entry of `getfreezehistory`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct FreezeEntry {
    /// The asset.
    pub asset: String,
    /// The height that it was frozen at.
    pub start: u32,
    /// The height that it was spent at; 0 while it is frozen.
    pub end: u32,
    value: Box<RawValue>,
}

/// What `createrawreissuance` gives.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Created {
    /// The transaction, unsigned.
    pub hex: String,
    /// The asset that it makes.
    pub asset: String,
}

impl UtxoAsset {
    /// What can be spent of it, with the digits that the node gave.
    #[must_use]
    pub fn spendable_text(&self) -> &str {
        self.spendable.get().trim_matches('"')
    }
}

impl Unspent {
    /// Its amount, with the digits that the node gave.
    #[must_use]
    pub fn amount_text(&self) -> &str {
        self.amount.get().trim_matches('"')
    }
}

impl FreezeEntry {
    /// Its amount, with the digits that the node gave.
    #[must_use]
    pub fn value_text(&self) -> &str {
        self.value.get().trim_matches('"')
    }
}

/// What reissuances need of a node.
#[async_trait]
pub trait ReissuanceNode: Send + Sync + 'static {
    /// The pay-to-script-hash address of a script in hex.
    async fn p2sh_address(&self, script: &str) -> Result<String, NodeError>;
    /// Has the wallet watch an address, from the chain's beginning.
    async fn watch(&self, address: &str) -> Result<(), NodeError>;
    /// All assets; an error if no issuance is recorded.
    async fn utxo_assets(&self) -> Result<Vec<UtxoAsset>, NodeError>;
    /// What the wallet sees unspent.
    async fn unspent(&self) -> Result<Vec<Unspent>, NodeError>;
    /// What was frozen.
    async fn freeze_history(&self) -> Result<Vec<FreezeEntry>, NodeError>;
    /// An unsigned reissuance.
    async fn create_raw(
        &self,
        address: &str,
        amount: &str,
        token_address: &str,
        tokens: &Unspent,
        entropy: &str,
    ) -> Result<Created, NodeError>;
    /// Sends a transaction in hex; its id.
    async fn send(&self, hex: &str) -> Result<String, NodeError>;
}

#[async_trait]
impl ReissuanceNode for NodeClient {
    async fn p2sh_address(&self, script: &str) -> Result<String, NodeError> {
        let decoded: Value = self.call("decodescript", &[script.into()]).await?;
        decoded["p2sh"]
            .as_str()
            .map(str::to_owned)
            .ok_or(NodeError::Answer("decodescript"))
    }

    async fn watch(&self, address: &str) -> Result<(), NodeError> {
        let known: Value = self.call("validateaddress", &[address.into()]).await?;
        if known["ismine"] == true || known["iswatchonly"] == true {
            return Ok(());
        }
        tracing::info!(
            address,
            "the node looks through the chain for reissuance tokens"
        );
        let label = "reissuance";
        let params = [address.into(), label.into(), true.into()];
        let _: Value = self.call("importaddress", &params).await?;
        Ok(())
    }

    async fn utxo_assets(&self) -> Result<Vec<UtxoAsset>, NodeError> {
        let assets: Vec<UtxoAsset> = self.call("getutxoassetinfo", &[]).await?;
        // Without the record the fields are not there at all.
        if assets.iter().any(|asset| asset.entropy.is_empty()) {
            return Err(NodeError::NoRecord);
        }
        Ok(assets)
    }

    async fn unspent(&self) -> Result<Vec<Unspent>, NodeError> {
        Ok(self.call("listunspent", &[]).await?)
    }

    async fn freeze_history(&self) -> Result<Vec<FreezeEntry>, NodeError> {
        Ok(self.call("getfreezehistory", &[]).await?)
    }

    async fn create_raw(
        &self,
        address: &str,
        amount: &str,
        token_address: &str,
        tokens: &Unspent,
        entropy: &str,
    ) -> Result<Created, NodeError> {
        let params = [
            address.into(),
            amount.into(),
            token_address.into(),
            tokens.amount_text().into(),
            tokens.txid.as_str().into(),
            tokens.vout.to_string().into(),
            entropy.into(),
        ];
        Ok(self.call("createrawreissuance", &params).await?)
    }

    async fn send(&self, hex: &str) -> Result<String, NodeError> {
        Ok(self.call("sendrawtransaction", &[hex.into()]).await?)
    }
}
