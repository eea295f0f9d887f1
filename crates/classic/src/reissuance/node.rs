//! The calls to an Ocean node that reissuances need.

use async_trait::async_trait;
use federation_ocean_rpc::{NodeClient, RpcError};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// Why a node cannot be used for reissuances.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A call failed.
    #[error("call to the node failed: {0}")]
    Rpc(#[from] RpcError),
    /// It does not record issuances.
    #[error(
        "the node does not report the entropy of assets: start it with -recordinflation=1 -rescan=1"
    )]
    NoRecord,
    /// An answer is malformed.
    #[error("malformed answer of the node to {0}")]
    Answer(&'static str),
}

/// An asset of `getutxoassetinfo`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct UtxoAsset {
    /// Its id.
    pub asset: String,
    /// Its reissuance token, if the node recorded its issuance.
    #[serde(default)]
    pub token: String,
    /// Its entropy, if the node recorded its issuance.
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
    /// Its index in the transaction.
    pub vout: u32,
    /// Its address, if its script has one.
    #[serde(default)]
    pub address: Option<String>,
    /// Its asset.
    #[serde(default)]
    pub asset: String,
    /// The number of blocks from its own to the best one, inclusive.
    pub confirmations: u32,
    amount: Box<RawValue>,
}

/// An entry of `getfreezehistory`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct FreezeEntry {
    /// The asset.
    pub asset: String,
    /// The height at which it was frozen.
    pub start: u32,
    /// The height at which it was spent; 0 while it is frozen.
    pub end: u32,
    value: Box<RawValue>,
}

/// The answer of `createrawreissuance`.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Created {
    /// The transaction, unsigned.
    pub hex: String,
    /// The asset it reissues.
    pub asset: String,
}

impl UtxoAsset {
    /// Returns its spendable amount, with the digits as given by the node.
    #[must_use]
    pub fn spendable_text(&self) -> &str {
        self.spendable.get().trim_matches('"')
    }
}

impl Unspent {
    /// Returns its amount, with the digits as given by the node.
    #[must_use]
    pub fn amount_text(&self) -> &str {
        self.amount.get().trim_matches('"')
    }
}

impl FreezeEntry {
    /// Returns its amount, with the digits as given by the node.
    #[must_use]
    pub fn value_text(&self) -> &str {
        self.value.get().trim_matches('"')
    }
}

/// The calls that reissuances need.
#[async_trait]
pub trait ReissuanceNode: Send + Sync + 'static {
    /// Returns the pay-to-script-hash address of a script in hex.
    async fn p2sh_address(&self, script: &str) -> Result<String, NodeError>;
    /// Makes the wallet watch an address, from the start of the chain.
    async fn watch(&self, address: &str) -> Result<(), NodeError>;
    /// Returns all assets; fails if issuances are not recorded.
    async fn utxo_assets(&self) -> Result<Vec<UtxoAsset>, NodeError>;
    /// Returns the unspent outputs that the wallet sees.
    async fn unspent(&self) -> Result<Vec<Unspent>, NodeError>;
    /// Returns the frozen amounts.
    async fn freeze_history(&self) -> Result<Vec<FreezeEntry>, NodeError>;
    /// Creates an unsigned reissuance.
    async fn create_raw(
        &self,
        address: &str,
        amount: &str,
        token_address: &str,
        tokens: &Unspent,
        entropy: &str,
    ) -> Result<Created, NodeError>;
    /// Sends a transaction in hex and returns its id.
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
        tracing::info!(address, "the node rescans the chain for reissuance tokens");
        let label = "reissuance";
        let params = [address.into(), label.into(), true.into()];
        let _: Value = self.call("importaddress", &params).await?;
        Ok(())
    }

    async fn utxo_assets(&self) -> Result<Vec<UtxoAsset>, NodeError> {
        let assets: Vec<UtxoAsset> = self.call("getutxoassetinfo", &[]).await?;
        // Without the record, the fields are missing.
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
