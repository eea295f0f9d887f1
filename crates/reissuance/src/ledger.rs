//! What the chain says of the assets that are reissued, block by block.
//!
//! A [`Ledger`] is fed every block in turn. It finds each asset's issuance, counts what is in
//! circulation, knows which outputs hold the reissuance tokens and the coins for fees, fixes at
//! each point what is to be made, and recognises what was made for which point. Everybody who reads
//! the same chain comes to the same ledger.

use elements::{AssetId, OutPoint, Transaction, Txid};
use federation_chain::{BlockHash, BlockHeight};
use serde::{Deserialize, Serialize};

use crate::{
    AmountError, AssetSettings, Chain, Point,
    asset::{AssetState, Uncountable},
};

/// The version of a ledger's stored state.
const VERSION: u8 = 1;

/// The ledgers of all assets that a federation reissues, up to one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    chain: Chain,
    settings: Vec<AssetSettings>,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: u8,
    fingerprints: Vec<[u8; 32]>,
    tip: Option<(BlockHeight, BlockHash)>,
    assets: Vec<AssetState>,
}

/// A block that does not continue the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Not the next height.
    #[error("the ledger continues with the block at height {expected}, not {found}")]
    Height {
        /// The next height.
        expected: BlockHeight,
        /// The block's.
        found: BlockHeight,
    },
    /// Another block below.
    #[error(
        "the block at height {height} stands on {found}, the ledger has read {expected}: the chain was changed, read it again from its beginning"
    )]
    Previous {
        /// The block's height.
        height: BlockHeight,
        /// What the ledger has read last.
        expected: BlockHash,
        /// What the block stands on.
        found: BlockHash,
    },
    /// Another genesis block.
    #[error("the chain begins with {found}, the federation's with {expected}")]
    Genesis {
        /// The federation's.
        expected: BlockHash,
        /// The chain's.
        found: BlockHash,
    },
}

/// Bytes that are no ledger of these settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeLedgerError {
    /// No ledger at all.
    #[error("the stored ledger does not decode")]
    Malformed,
    /// Of another version of this program.
    #[error("the stored ledger has version {0}, known is {VERSION}")]
    Version(u8),
    /// Of other settings or another chain.
    #[error("the stored ledger is of other settings")]
    Settings,
}

/// Something that a block says of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerEvent {
    /// The asset was issued.
    Issued {
        /// How much, in satoshi.
        amount: u64,
        /// The reissuance token.
        token: AssetId,
    },
    /// A point was reached, and this is to be made for it.
    Due {
        /// The point.
        point: Point,
        /// What was in circulation, in satoshi.
        circulation: u64,
        /// What is to be made, in satoshi.
        amount: u64,
    },
    /// What was to be made for a point was made, or something else instead of it.
    Paid {
        /// The point.
        point: Point,
        /// What was to be made, in satoshi.
        scheduled: u64,
        /// What was made, in satoshi.
        amount: u64,
        /// Whether all of it went to the destination, and the tokens back to their script.
        in_order: bool,
        /// The transaction.
        txid: Txid,
    },
    /// More was made that no point asked for.
    Unscheduled {
        /// What was made, in satoshi.
        amount: u64,
        /// The transaction.
        txid: Txid,
    },
    /// From now on nobody can count what is in circulation.
    Uncountable(Uncountable),
    /// What is to be made cannot be computed.
    NoAmount {
        /// The point.
        point: Point,
        /// Why.
        error: AmountError,
    },
}

impl Ledger {
    /// The ledger of a chain of which nothing was read yet.
    #[must_use]
    pub fn new(chain: Chain, settings: Vec<AssetSettings>) -> Self {
        let state = State {
            version: VERSION,
            fingerprints: fingerprints(&chain, &settings),
            tip: None,
            assets: settings.iter().map(AssetState::new).collect(),
        };
        Self {
            chain,
            settings,
            state,
        }
    }

    /// A ledger from its stored state.
    ///
    /// # Errors
    /// If the bytes are no state, or one of other settings: read the chain again then.
    pub fn from_bytes(
        bytes: &[u8],
        chain: Chain,
        settings: Vec<AssetSettings>,
    ) -> Result<Self, DecodeLedgerError> {
        match bytes.first() {
            Some(&VERSION) => {}
            Some(other) => return Err(DecodeLedgerError::Version(*other)),
            None => return Err(DecodeLedgerError::Malformed),
        }
        let state: State = postcard::from_bytes(bytes).map_err(|_| DecodeLedgerError::Malformed)?;
        if state.fingerprints != fingerprints(&chain, &settings)
            || state.assets.len() != settings.len()
        {
            return Err(DecodeLedgerError::Settings);
        }
        Ok(Self {
            chain,
            settings,
            state,
        })
    }

    /// Its state, to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing to memory what has a length cannot fail.
        postcard::to_stdvec(&self.state).unwrap_or_default()
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The settings, in the order of the assets.
    #[must_use]
    pub fn settings(&self) -> &[AssetSettings] {
        &self.settings
    }

    /// The last block that was read.
    #[must_use]
    pub const fn tip(&self) -> Option<(BlockHeight, BlockHash)> {
        self.state.tip
    }

    /// The height of the block that is to be read next.
    #[must_use]
    pub fn next_height(&self) -> BlockHeight {
        self.state
            .tip
            .map_or(BlockHeight::GENESIS, |(height, _)| height.next())
    }

    /// The state of the asset at a place in the settings.
    pub(crate) fn asset(&self, index: usize) -> Option<(&AssetSettings, &AssetState)> {
        Some((self.settings.get(index)?, self.state.assets.get(index)?))
    }

    /// What is in circulation of the asset at a place in the settings, in satoshi, after the last
    /// block that was read; on Ocean with what is frozen.
    #[must_use]
    pub fn circulation(&self, index: usize) -> Option<u64> {
        self.asset(index).map(|(_, state)| state.circulation())
    }

    /// Whether an output holds tokens or coins of the asset at a place in the settings, unspent.
    #[must_use]
    pub fn holds(&self, index: usize, outpoint: OutPoint) -> bool {
        self.asset(index)
            .is_some_and(|(_, state)| state.holds(outpoint))
    }

    /// Reads the next block, and tells what it says of which asset.
    ///
    /// # Errors
    /// If the block is not the next one, and then nothing is changed.
    pub fn apply(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
        previous: BlockHash,
        transactions: &[Transaction],
    ) -> Result<Vec<(usize, LedgerEvent)>, LedgerError> {
        let expected = self.next_height();
        if height != expected {
            return Err(LedgerError::Height {
                expected,
                found: height,
            });
        }
        match self.state.tip {
            Some((_, tip)) if tip != previous => {
                return Err(LedgerError::Previous {
                    height,
                    expected: tip,
                    found: previous,
                });
            }
            None if hash != self.chain.genesis => {
                return Err(LedgerError::Genesis {
                    expected: self.chain.genesis,
                    found: hash,
                });
            }
            _ => {}
        }
        let mut events = Vec::new();
        let assets = self.settings.iter().zip(&mut self.state.assets);
        for (index, (settings, state)) in assets.enumerate() {
            let said = state.apply(settings, &self.chain, height, transactions);
            events.extend(said.into_iter().map(|event| (index, event)));
        }
        self.state.tip = Some((height, hash));
        Ok(events)
    }
}

fn fingerprints(chain: &Chain, settings: &[AssetSettings]) -> Vec<[u8; 32]> {
    settings
        .iter()
        .map(|settings| settings.fingerprint(chain))
        .collect()
}
