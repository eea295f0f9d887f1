//! Reissuance by the operators: no leader, and never in the way of block signing.
//!
//! At each new block an operator reads it into its ledger. If something is owed at a point, it makes
//! the transaction that follows from the ledger, remembers durably that it will sign it, signs, and
//! tells plan and signatures to all. Who holds the signatures of M keys completes the transaction
//! and hands it to its own node; that several do is no harm. It is all said again at each block
//! until the payment is in one. What fails is logged and tried again at the next block.

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

/// What an operator needs to reissue.
pub struct Reissuance {
    pub(crate) assets: Vec<AssetSettings>,
    pub(crate) spender: Arc<dyn SpendSigner>,
    pub(crate) node: Arc<dyn ReissuanceNode>,
    pub(crate) store: ReissuanceStore,
}

/// Parts that do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReissuanceError {
    /// The operator's key cannot spend the tokens.
    #[error(
        "the reissuance key {key} is not in the script that holds the tokens of {asset}: use the key that belongs to this operator"
    )]
    ForeignKey {
        /// The operator's key.
        key: PublicKey,
        /// The asset.
        asset: AssetId,
    },
    /// One asset twice.
    #[error("{0} is to be reissued by two schedules: keep one")]
    Twice(AssetId),
    /// More than can be kept in step.
    #[error("{0} assets are to be reissued, at most {MAX_ASSETS} can be")]
    TooMany(usize),
    /// Settings that this chain cannot follow.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Reissuance {
    /// Reissues these assets with this key.
    ///
    /// # Errors
    /// If the key is not in one of the scripts, or an asset is there twice.
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

    /// Whether these assets can be made more of with this key.
    ///
    /// # Errors
    /// If the key is not in one of the scripts, or an asset is there twice.
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

/// How it is with one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssetStatus {
    /// The asset.
    pub asset: AssetId,
    /// What is in circulation, in satoshi.
    pub circulation: u64,
    /// What is owed next, if anything is.
    pub due: Option<DueStatus>,
    /// The last payment that was seen in a block since the start.
    pub paid: Option<(BlockHeight, Txid)>,
    /// Why nothing can be made, if so.
    pub problem: Option<String>,
}

/// What is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DueStatus {
    /// The point's height.
    pub point: BlockHeight,
    /// How much, in satoshi.
    pub amount: u64,
    /// The keys whose signatures are here.
    pub signatures: usize,
    /// The keys whose signatures it takes.
    pub needed: usize,
}
