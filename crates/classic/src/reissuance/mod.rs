//! Reissuances as the Python program makes them: at each multiple of a period the leader proposes,
//! beside the block, one transaction for each token that the wallet of its node sees at the
//! reissuance script; the others sign it if it is the one that they would make; the leader sends what
//! has enough signatures before the block.

mod amount;
mod node;
mod transaction;

use std::sync::Arc;

use federation_multisig::MultisigScript;
use federation_signer::{SignerError, SpendSigner};
use serde::{Deserialize, Serialize};

use self::amount::{Frozen, Inflation};
pub use self::node::{Created, FreezeEntry, NodeError, ReissuanceNode, Unspent, UtxoAsset};

/// Tokens have at least this many units, by convention.
const LEAST_TOKENS: f64 = 9999.0;
/// The longest script that the old program can put into a transaction.
const MAX_SCRIPT: usize = 255;

/// A transaction of the leader's, as it stands in a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the old wire does not change any more"
)]
pub struct RawReissuance {
    /// The transaction, unsigned.
    pub hex: String,
    /// The asset that is made.
    pub asset: String,
    /// Its reissuance token.
    pub token: String,
    /// The transaction whose output holds the tokens.
    pub txid: String,
    /// The place of that output.
    pub vout: u32,
}

/// What the flags say of reissuances.
#[derive(Debug, Clone)]
pub struct ReissuanceConfig {
    inflation: Inflation,
    address: String,
    script: MultisigScript,
}

/// Flags that make no reissuance.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReissuanceConfigError {
    /// A rate that is none.
    #[error("the inflation rate {0} is not above 0 and at most 10")]
    Rate(f64),
    /// A period of no blocks.
    #[error("the inflation period is 0 blocks")]
    Period,
    /// A script that the old program cannot use.
    #[error(
        "the reissuance script of {0} bytes is above the {MAX_SCRIPT} that the old program can push"
    )]
    Script(usize),
    /// An interval that is no number of seconds.
    #[error("reissuances need a block time of whole seconds")]
    Interval,
}

impl ReissuanceConfig {
    /// At a yearly rate, each so many blocks of an interval, to an address, out of tokens that a
    /// script holds.
    ///
    /// # Errors
    /// If the numbers make none.
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

/// Makes, checks, signs and sends reissuances.
#[derive(Clone)]
pub struct Reissuer {
    config: ReissuanceConfig,
    node: Arc<dyn ReissuanceNode>,
    spender: Arc<dyn SpendSigner>,
    /// The script's address.
    token_address: String,
}

/// Why a reissuance was not made, signed or sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReissueError {
    /// The node gave no answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The key did not sign.
    #[error("the reissuance key did not sign: {0}")]
    Signer(#[from] SignerError),
    /// The own key is none of the script's.
    #[error("the reissuance key is none of the reissuance script's")]
    ForeignKey,
    /// The leader wants others than the own node makes.
    #[error("the leader's reissuances are not the own node's: {0}")]
    Differ(String),
    /// A transaction that cannot be read.
    #[error("a reissuance is no transaction: {0}")]
    Transaction(String),
    /// Not enough operators signed.
    #[error("{have} of {need} operators signed reissuance {index}")]
    TooFew {
        /// Which one, counted from 0.
        index: usize,
        /// How many signed.
        have: usize,
        /// How many must.
        need: usize,
    },
}

impl Reissuer {
    /// Prepares the node: it watches the script's address from now on, which takes a while where it
    /// has to look through the chain.
    ///
    /// # Errors
    /// If the node does not record what reissuances need, or the key is none of the script's.
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
        // Refuses a node without -recordinflation.
        node.utxo_assets().await?;
        Ok(Self {
            config,
            node,
            spender,
            token_address,
        })
    }

    /// What this operator proposes as leader on a best block of this height; nothing where nothing is
    /// to be made. In the first half of a period what was not confirmed is tried again.
    ///
    /// # Errors
    /// If the node gives no answer.
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

    /// Signs the leader's transactions, if they are what the own node makes at this height.
    ///
    /// # Errors
    /// If they are not, naming the field that differs.
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

    /// Completes transactions of this operator's with the others' signatures and its own, and sends
    /// them; the ids.
    ///
    /// # Errors
    /// If too few have signed, or the node refuses one.
    pub async fn send(
        &self,
        transactions: &[RawReissuance],
        others: &[Vec<String>],
    ) -> Result<Vec<String>, ReissueError> {
        let own = self.signatures(transactions).await?;
        let all: Vec<&Vec<String>> = others.iter().chain([&own]).collect();
        let mut complete = Vec::new();
        for (index, raw) in transactions.iter().enumerate() {
            let signatures = all.iter().filter_map(|of_one| of_one.get(index));
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

    async fn signatures(&self, of: &[RawReissuance]) -> Result<Vec<String>, ReissueError> {
        let mut signatures = Vec::new();
        for raw in of {
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

    /// The transactions for a height; of tokens that have not moved for more blocks than `since`, if
    /// given.
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
        let made = self
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
            hex: made.hex,
            asset: made.asset,
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

/// In what two lists of transactions differ.
fn difference(ours: &[RawReissuance], theirs: &[RawReissuance]) -> Option<String> {
    if ours.len() != theirs.len() {
        return Some(format!("{} here, {} there", ours.len(), theirs.len()));
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
                    "`{field}` of number {index} is {ours} here, {theirs} there"
                ));
            }
        }
        if ours.vout != theirs.vout {
            return Some(format!(
                "`vout` of number {index} is {} here, {} there",
                ours.vout, theirs.vout
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests;
