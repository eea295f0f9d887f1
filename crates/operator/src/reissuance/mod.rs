//! Reissuance by the operators, without a leader and without delaying block signing.
//!
//! An operator reads each new block into its ledger. If a payment is due at a point of the
//! schedule, it builds the transaction that follows from the ledger, durably records that it will
//! sign it, signs it, and broadcasts plan and signatures. An operator that holds the signatures of
//! M keys completes the transaction and hands it to its node; it does no harm if several do. Plan
//! and signatures are broadcast again at each block until the payment is in a block. Failures are
//! logged, and the next block brings another attempt.

mod differences;
mod earlier;
mod follow;
mod guard;
mod issue;
mod node;
mod statement;
mod task;

use std::sync::Arc;

use elements::{AssetId, Txid};
use federation_chain::BlockHeight;
use federation_multisig::PublicKey;
use federation_reissuance::{AssetSettings, SettingsError};
use federation_signer::SpendSigner;
use serde::Serialize;

pub use self::{
    differences::ReissuanceDifferences,
    follow::{FollowError, Reading, follow},
    issue::{IssueError, IssuedAsset, TokenAddresses, issue, token_addresses},
    node::ReissuanceNode,
};
pub(crate) use task::{Parts, Task};

use crate::ReissuanceStore;

/// The most assets that one federation reissues.
const MAX_ASSETS: usize = 64;

/// The parts an operator needs to reissue assets.
pub struct Reissuance {
    pub(crate) assets: Vec<AssetSettings>,
    pub(crate) spender: Arc<dyn SpendSigner>,
    pub(crate) node: Arc<dyn ReissuanceNode>,
    pub(crate) store: ReissuanceStore,
}

/// Why the parts of a reissuance do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReissuanceError {
    /// The operator's key is not among those that can spend the tokens.
    #[error(
        "the reissuance key {key} is not in the script that holds the tokens of {asset}: use the key that belongs to this operator"
    )]
    ForeignKey {
        /// The operator's key.
        key: PublicKey,
        /// The asset.
        asset: AssetId,
    },
    /// An asset is configured twice.
    #[error("asset {0} has two schedules: keep one")]
    Twice(AssetId),
    /// More assets are configured than the limit.
    #[error("{0} assets are configured for reissuance, but at most {MAX_ASSETS} are supported")]
    TooMany(usize),
    /// The settings are not possible on this chain.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Reissuance {
    /// Combines the parts to reissue these assets with this key.
    ///
    /// # Errors
    /// If the key is missing from one of the scripts, an asset is listed twice, or there are too many
    /// assets.
    pub fn new(
        assets: Vec<AssetSettings>,
        spender: Arc<dyn SpendSigner>,
        node: Arc<dyn ReissuanceNode>,
        store: ReissuanceStore,
    ) -> Result<Self, ReissuanceError> {
        Self::check(&assets, spender.public_key())?;
        Ok(Self {
            assets,
            spender,
            node,
            store,
        })
    }

    /// Checks that these assets can be reissued with this key.
    ///
    /// # Errors
    /// If the key is missing from one of the scripts, an asset is listed twice, or there are too many
    /// assets.
    pub fn check(assets: &[AssetSettings], key: PublicKey) -> Result<(), ReissuanceError> {
        if assets.len() > MAX_ASSETS {
            return Err(ReissuanceError::TooMany(assets.len()));
        }
        for (index, settings) in assets.iter().enumerate() {
            let asset = settings.asset();
            if settings.tokens().multisig().position(&key).is_none() {
                return Err(ReissuanceError::ForeignKey { key, asset });
            }
            if assets[..index].iter().any(|other| other.asset() == asset) {
                return Err(ReissuanceError::Twice(asset));
            }
        }
        Ok(())
    }
}

impl core::fmt::Debug for Reissuance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reissuance")
            .field("assets", &self.assets)
            .finish_non_exhaustive()
    }
}

/// The state of one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AssetStatus {
    /// The asset.
    pub asset: AssetId,
    /// The amount in circulation, in satoshi.
    pub circulation: u64,
    /// The next payment that is due, if any.
    pub due: Option<DueStatus>,
    /// The point and transaction of the last payment seen in a block since the start.
    pub paid: Option<(BlockHeight, Txid)>,
    /// Why nothing can be reissued, if so.
    pub problem: Option<String>,
}

/// A payment that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DueStatus {
    /// The point's height.
    pub point: BlockHeight,
    /// The amount, in satoshi.
    pub amount: u64,
    /// The number of keys whose signatures have been collected.
    pub signatures: usize,
    /// The number of keys whose signatures are required.
    pub needed: usize,
}
