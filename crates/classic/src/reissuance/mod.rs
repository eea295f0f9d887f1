//! Reissuances as the Python program creates them. At each multiple of a period, the leader proposes,
//! with the block, one transaction for each token that its node's wallet sees at the reissuance script.
//! The others sign it if they would create the same. The leader sends transactions with enough
//! signatures before the block.

mod amount;
mod node;
mod transaction;

use std::sync::Arc;

use federation_multisig::MultisigScript;
use federation_signer::{SignerError, SpendSigner};
use serde::{Deserialize, Serialize};

use self::amount::{Frozen, Inflation};
pub use self::node::{Created, FreezeEntry, NodeError, ReissuanceNode, Unspent, UtxoAsset};

/// The least amount of tokens in an output that counts, by convention.
const LEAST_TOKENS: f64 = 9999.0;
/// The longest script that the old program can push in a transaction.
const MAX_SCRIPT: usize = 255;

/// A transaction of the leader, as in a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "the old wire no longer changes")]
pub struct RawReissuance {
    /// The transaction, unsigned.
    pub hex: String,
    /// The asset to reissue.
    pub asset: String,
    /// Its reissuance token.
    pub token: String,
    /// The transaction with the tokens' output.
    pub txid: String,
    /// The index of that output.
    pub vout: u32,
}

/// The configuration of reissuances.
#[derive(Debug, Clone)]
pub struct ReissuanceConfig {
    inflation: Inflation,
    address: String,
    script: MultisigScript,
}

/// Why a configuration of reissuances is invalid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReissuanceConfigError {
    /// The rate is out of range.
    #[error("inflation rate {0} must be above 0 and at most 10")]
    Rate(f64),
    /// The period is zero.
    #[error("inflation period must be at least 1 block")]
    Period,
    /// The script is too long for the old program.
    #[error(
        "reissuance script of {0} bytes exceeds the {MAX_SCRIPT} bytes that the old program can push"
    )]
    Script(usize),
    /// The interval is not a whole number of seconds.
    #[error("block time must be a whole number of seconds for reissuances")]
    Interval,
}

impl ReissuanceConfig {
    /// Creates a configuration: a yearly rate, a period in blocks, the block interval, the address that
    /// receives the assets, and the script that holds the tokens.
    ///
    /// # Errors
    /// If a number is out of range or the script is too long.
    pub fn new(
        rate: f64,
        period: u32,
        interval: core::time::Duration,
        address: impl Into<String>,
        script: MultisigScript,
    ) -> Result<Self, ReissuanceConfigError> {
        if !(rate > 0.0 && rate <= 10.0) {
            return Err(ReissuanceConfigError::Rate(rate));
        }
        if period == 0 {
            return Err(ReissuanceConfigError::Period);
        }
        if script.as_bytes().len() > MAX_SCRIPT {
            return Err(ReissuanceConfigError::Script(script.as_bytes().len()));
        }
        let seconds = u32::try_from(interval.as_secs())
            .ok()
            .filter(|seconds| *seconds > 0 && interval.subsec_nanos() == 0)
            .ok_or(ReissuanceConfigError::Interval)?;
        Ok(Self {
            inflation: Inflation {
                rate,
                period,
                interval: seconds,
            },
            address: address.into(),
            script,
        })
    }
}

/// Creates, checks, signs and sends reissuances.
#[derive(Clone)]
pub struct Reissuer {
    config: ReissuanceConfig,
    node: Arc<dyn ReissuanceNode>,
    spender: Arc<dyn SpendSigner>,
    /// The script's address.
    token_address: String,
}

/// Why a reissuance was not created, signed or sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReissueError {
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The key failed to sign.
    #[error("the reissuance key failed to sign: {0}")]
    Signer(#[from] SignerError),
    /// The key is not in the script.
    #[error("the reissuance key is not in the reissuance script")]
    ForeignKey,
    /// The leader's reissuances differ from those of our node.
    #[error("the leader's reissuances differ from those of our node: {0}")]
    Differ(String),
    /// A transaction is malformed.
    #[error("malformed reissuance transaction: {0}")]
    Transaction(String),
    /// Too few operators signed.
    #[error("reissuance {index} has {have} signatures of {need} required")]
    TooFew {
        /// Its index in the proposal, from 0.
        index: usize,
        /// The number of signatures.
        have: usize,
        /// The number required.
        need: usize,
    },
}

impl Reissuer {
    /// Creates a reissuer and makes the node watch the script's address, which takes a while if it has
    /// to rescan the chain.
    ///
    /// # Errors
    /// If the node does not record issuances, or the key is not in the script.
    pub async fn prepare(
        config: ReissuanceConfig,
        node: Arc<dyn ReissuanceNode>,
        spender: Arc<dyn SpendSigner>,
    ) -> Result<Self, ReissueError> {
        if config.script.position(&spender.public_key()).is_none() {
            return Err(ReissueError::ForeignKey);
        }
        let token_address = node.p2sh_address(&config.script.to_hex()).await?;
        node.watch(&token_address).await?;
        // Fails if the node runs without -recordinflation.
        node.utxo_assets().await?;
        Ok(Self {
            config,
            node,
            spender,
            token_address,
        })
    }

    /// Returns the reissuances to propose on a best block of this height, if any. In the first half of a
    /// period, unconfirmed reissuances are proposed again.
    ///
    /// # Errors
    /// If the node fails.
    pub async fn proposed(&self, height: u32) -> Result<Vec<RawReissuance>, ReissueError> {
        if self.is_step(height) {
            return self.transactions(height, None).await;
        }
        if !self.is_retry(height) {
            return Ok(Vec::new());
        }
        let since = height % self.config.inflation.period;
        self.transactions(height, Some(since)).await
    }

    /// Signs the leader's transactions, if our node would create the same at this height.
    ///
    /// # Errors
    /// If they differ, with the name of the field.
    pub async fn sign(
        &self,
        height: u32,
        theirs: &[RawReissuance],
    ) -> Result<Vec<String>, ReissueError> {
        let ours = self.proposed(height).await?;
        if let Some(difference) = difference(&ours, theirs) {
            return Err(ReissueError::Differ(difference));
        }
        self.signatures(theirs).await
    }

    /// Completes this operator's transactions with the others' signatures and its own, and sends them.
    /// Returns their ids.
    ///
    /// # Errors
    /// If there are too few signatures, or the node refuses a transaction.
    pub async fn send(
        &self,
        transactions: &[RawReissuance],
        others: &[Vec<String>],
    ) -> Result<Vec<String>, ReissueError> {
        let own = self.signatures(transactions).await?;
        let all: Vec<&Vec<String>> = others.iter().chain([&own]).collect();
        let mut complete = Vec::new();
        for (index, raw) in transactions.iter().enumerate() {
            let signatures = all.iter().filter_map(|list| list.get(index));
            let parsed = transaction::parse(&raw.hex)?;
            complete.push(transaction::complete(
                index,
                parsed,
                &self.config.script,
                signatures.map(String::as_str),
            )?);
        }
        let mut ids = Vec::new();
        for hex in complete {
            ids.push(self.node.send(&hex).await?);
        }
        Ok(ids)
    }

    async fn signatures(
        &self,
        transactions: &[RawReissuance],
    ) -> Result<Vec<String>, ReissueError> {
        let mut signatures = Vec::new();
        for raw in transactions {
            let parsed = transaction::parse(&raw.hex)?;
            let digest = transaction::digest(&parsed, &self.config.script);
            let signature = self.spender.sign_spend(digest).await?;
            signatures.push(transaction::push(&signature));
        }
        Ok(signatures)
    }

    const fn is_step(&self, height: u32) -> bool {
        height > 0 && height.is_multiple_of(self.config.inflation.period)
    }

    const fn is_retry(&self, height: u32) -> bool {
        let since = height % self.config.inflation.period;
        since > 2 && 2 * since < self.config.inflation.period
    }

    /// Creates the transactions for a height; with `since`, only for tokens with more confirmations than
    /// that.
    async fn transactions(
        &self,
        height: u32,
        since: Option<u32>,
    ) -> Result<Vec<RawReissuance>, ReissueError> {
        let assets = self.node.utxo_assets().await?;
        let unspent = self.node.unspent().await?;
        let frozen = self.node.freeze_history().await?;
        let mut transactions = Vec::new();
        for output in unspent {
            let amount: f64 = output.amount_text().parse().unwrap_or(0.0);
            let is_token = output.address.as_deref() == Some(self.token_address.as_str())
                && amount > LEAST_TOKENS;
            let is_old = since.is_none_or(|since| output.confirmations > since);
            if !is_token || !is_old {
                continue;
            }
            let Some(asset) = assets.iter().find(|asset| asset.token == output.asset) else {
                continue;
            };
            if let Some(amount) = self.amount(asset, &frozen, height) {
                transactions.push(self.raw(&output, asset, &amount).await?);
            }
        }
        Ok(transactions)
    }

    fn amount(&self, asset: &UtxoAsset, frozen: &[FreezeEntry], height: u32) -> Option<String> {
        let of_asset: Vec<Frozen> = frozen
            .iter()
            .filter(|entry| entry.asset == asset.asset)
            .map(|entry| Frozen {
                value: entry.value_text().parse().unwrap_or(0.0),
                start: entry.start,
                end: entry.end,
            })
            .collect();
        let spendable = asset.spendable_text().parse().unwrap_or(0.0);
        self.config.inflation.amount(spendable, &of_asset, height)
    }

    async fn raw(
        &self,
        output: &Unspent,
        asset: &UtxoAsset,
        amount: &str,
    ) -> Result<RawReissuance, ReissueError> {
        let created = self
            .node
            .create_raw(
                &self.config.address,
                amount,
                &self.token_address,
                output,
                &asset.entropy,
            )
            .await?;
        Ok(RawReissuance {
            hex: created.hex,
            asset: created.asset,
            token: output.asset.clone(),
            txid: output.txid.clone(),
            vout: output.vout,
        })
    }
}

impl core::fmt::Debug for Reissuer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reissuer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Describes the first difference between two lists of transactions.
fn difference(ours: &[RawReissuance], theirs: &[RawReissuance]) -> Option<String> {
    if ours.len() != theirs.len() {
        return Some(format!(
            "{} here, {} from the leader",
            ours.len(),
            theirs.len()
        ));
    }
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let fields = [
            ("asset", &ours.asset, &theirs.asset),
            ("token", &ours.token, &theirs.token),
            ("txid", &ours.txid, &theirs.txid),
            ("hex", &ours.hex, &theirs.hex),
        ];
        for (field, ours, theirs) in fields {
            if ours != theirs {
                let theirs: String = theirs.chars().take(400).collect();
                return Some(format!(
                    "`{field}` of number {index} is {ours} here, {theirs} from the leader"
                ));
            }
        }
        if ours.vout != theirs.vout {
            return Some(format!(
                "`vout` of number {index} is {} here, {} from the leader",
                ours.vout, theirs.vout
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests;
