//! The state of the reissued assets, block by block.
//!
//! A [`Ledger`] is fed every block in order. It finds each asset's issuance, computes the
//! circulation, tracks the outputs with reissuance tokens and coins for fees, determines the amount
//! due at each point, and recognises the reissuance for each point. All readers of the same chain
//! arrive at the same ledger.

use elements::{AssetId, OutPoint};
use federation_chain::{Block, BlockHash, BlockHeight, DecodeError, TransactionView};
use serde::{Deserialize, Serialize};

use crate::{
    AssetSettings, Chain, LedgerEvent,
    asset::{AssetState, Due, OpenBlock},
};

/// The version of a ledger's stored state. Version 1 tracked outputs without a limit, and misjudged
/// destroyed amounts that had been issued for points.
const VERSION: u8 = 2;

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The height is not the next one.
    #[error("the ledger continues with the block at height {expected}, not {found}")]
    Height {
        /// The next height.
        expected: BlockHeight,
        /// The block's height.
        found: BlockHeight,
    },
    /// The previous block is another one.
    #[error(
        "the block at height {height} follows {found}, but the ledger is at {expected}: the chain was reorganised, read it again from the start"
    )]
    Previous {
        /// The block's height.
        height: BlockHeight,
        /// The last block that the ledger has read.
        expected: BlockHash,
        /// The previous block in the header.
        found: BlockHash,
    },
    /// The genesis block is another one.
    #[error("the chain's genesis block is {found}, but the federation's is {expected}")]
    Genesis {
        /// That of the federation.
        expected: BlockHash,
        /// That of the chain.
        found: BlockHash,
    },
    /// The block's transactions do not decode.
    #[error("the block at height {height} cannot be read: {why}")]
    Transactions {
        /// The block's height.
        height: BlockHeight,
        /// What is wrong with it.
        why: DecodeError,
    },
}

/// Bytes that are not a ledger of these settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeLedgerError {
    /// The bytes do not decode.
    #[error("the stored ledger does not decode")]
    Malformed,
    /// The version is not the current one.
    #[error("the stored ledger has version {0}, but {VERSION} is supported")]
    Version(u8),
    /// The settings or the chain differ.
    #[error("the stored ledger belongs to other settings")]
    Settings,
}

impl Ledger {
    /// Creates the empty ledger of a chain.
    #[must_use]
    pub fn new(chain: Chain, settings: Vec<AssetSettings>) -> Self {
        let state = State {
            version: VERSION,
            fingerprints: fingerprints(&chain, &settings),
            tip: None,
            assets: settings.iter().map(|_| AssetState::new()).collect(),
        };
        Self {
            chain,
            settings,
            state,
        }
    }

    /// Creates a ledger from its stored state.
    ///
    /// # Errors
    /// If the bytes are not a ledger, or one of other settings: read the chain again in that case.
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
        let is_sound = |(state, settings): (&AssetState, _)| state.is_sound(settings);
        if !state.assets.iter().zip(&settings).all(is_sound) {
            return Err(DecodeLedgerError::Malformed);
        }
        Ok(Self {
            chain,
            settings,
            state,
        })
    }

    /// Returns the state, for storage.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Serialisation to memory cannot fail.
        postcard::to_stdvec(&self.state).unwrap_or_default()
    }

    /// Returns the chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Returns the settings; indexes elsewhere refer to this order.
    #[must_use]
    pub fn settings(&self) -> &[AssetSettings] {
        &self.settings
    }

    /// Returns the height and the hash of the last block read.
    #[must_use]
    pub const fn tip(&self) -> Option<(BlockHeight, BlockHash)> {
        self.state.tip
    }

    /// Returns the height of the next block to read.
    #[must_use]
    pub fn next_height(&self) -> BlockHeight {
        self.state
            .tip
            .map_or(BlockHeight::GENESIS, |(height, _)| height.next())
    }

    /// Returns the state of the asset with this index in the settings.
    pub(crate) fn asset(&self, index: usize) -> Option<(&AssetSettings, &AssetState)> {
        Some((self.settings.get(index)?, self.state.assets.get(index)?))
    }

    /// Returns the circulation of the asset with this index in the settings, in satoshi, after the
    /// last block read; on Ocean including frozen amounts.
    #[must_use]
    pub fn circulation(&self, index: usize) -> Option<u64> {
        self.asset(index).map(|(_, state)| state.circulation())
    }

    /// Returns the reissuances due for the asset with this index in the settings, the oldest point
    /// first.
    #[must_use]
    pub fn owed(&self, index: usize) -> Vec<Due> {
        self.asset(index)
            .map_or_else(Vec::new, |(_, state)| state.owed())
    }

    /// Returns the reissuances that will be due for the asset with this index in the settings, at
    /// points after the last block read and up to a height, if only these reissuances change the
    /// circulation; at most ten thousand points.
    #[must_use]
    pub fn forecast(&self, index: usize, to: BlockHeight) -> Vec<Due> {
        self.asset(index)
            .map_or_else(Vec::new, |(settings, state)| {
                state.forecast(settings, &self.chain, self.next_height(), to)
            })
    }

    /// Returns the reissuance token of the asset with this index in the settings, once issued.
    #[must_use]
    pub fn token(&self, index: usize) -> Option<AssetId> {
        self.asset(index)?.1.issued().map(|(_, token)| token)
    }

    /// Returns the outputs with reissuance tokens of the asset with this index in the settings,
    /// with the amount of each in satoshi; the oldest first.
    #[must_use]
    pub fn tokens_of(&self, index: usize) -> Vec<(OutPoint, u64)> {
        self.asset(index).map_or_else(Vec::new, |(_, state)| {
            let usable = state.tokens.oldest_first();
            usable
                .into_iter()
                .chain(state.unusable.oldest_first())
                .map(|(outpoint, opening)| (outpoint, opening.value()))
                .collect()
        })
    }

    /// Returns whether an output holds unspent tokens or coins for the asset with this index in the
    /// settings.
    #[must_use]
    pub fn holds(&self, index: usize, outpoint: OutPoint) -> bool {
        self.asset(index)
            .is_some_and(|(_, state)| state.holds(&outpoint))
    }

    /// Returns whether an output held tokens of the asset with this index in the settings, and was
    /// spent by a block while the currently due reissuance was due. False for outputs that were
    /// never seen, and for outputs that were spent before a thousand others.
    #[must_use]
    pub fn has_spent(&self, index: usize, outpoint: OutPoint) -> bool {
        self.asset(index)
            .is_some_and(|(_, state)| state.spent.contains(&outpoint))
    }

    /// Reads the next block and returns its events, with the index of the asset in the settings.
    /// The commitments in the block's hash are not checked here; see
    /// [`Block::check_stored_commitments`].
    ///
    /// # Errors
    /// If the block is not the next one or does not decode; the ledger is unchanged in that case.
    pub fn apply_block(&mut self, block: &Block) -> Result<Vec<(usize, LedgerEvent)>, LedgerError> {
        let (height, hash) = (block.height(), block.block_hash());
        self.check(height, hash, block.header().previous())?;
        let unreadable = |why| LedgerError::Transactions { height, why };
        // Validated to the end before anything is changed.
        block.each_transaction(|_| ()).map_err(unreadable)?;
        let mut open = self.open(height);
        block
            .each_transaction(|transaction| open.read(&transaction))
            .map_err(unreadable)?;
        let events = open.finish();
        self.state.tip = Some((height, hash));
        Ok(events)
    }

    /// Like [`apply_block`](Self::apply_block), for a block whose transactions have been decoded.
    ///
    /// # Errors
    /// If the block is not the next one; the ledger is unchanged in that case.
    pub fn apply(
        &mut self,
        height: BlockHeight,
        hash: BlockHash,
        previous: BlockHash,
        transactions: &[TransactionView<'_>],
    ) -> Result<Vec<(usize, LedgerEvent)>, LedgerError> {
        self.check(height, hash, previous)?;
        let mut open = self.open(height);
        for transaction in transactions {
            open.read(transaction);
        }
        let events = open.finish();
        self.state.tip = Some((height, hash));
        Ok(events)
    }

    fn open(&mut self, height: BlockHeight) -> Open<'_> {
        let Self {
            chain,
            settings,
            state,
        } = self;
        let open = |settings| OpenBlock::new(settings, chain, height);
        Open {
            blocks: settings.iter().map(open).collect(),
            assets: &mut state.assets,
        }
    }

    fn check(
        &self,
        height: BlockHeight,
        hash: BlockHash,
        previous: BlockHash,
    ) -> Result<(), LedgerError> {
        let expected = self.next_height();
        if height != expected {
            return Err(LedgerError::Height {
                expected,
                found: height,
            });
        }
        match self.state.tip {
            Some((_, tip)) if tip != previous => Err(LedgerError::Previous {
                height,
                expected: tip,
                found: previous,
            }),
            None if hash != self.chain.genesis => Err(LedgerError::Genesis {
                expected: self.chain.genesis,
                found: hash,
            }),
            _ => Ok(()),
        }
    }
}

/// A block that is being read.
struct Open<'l> {
    assets: &'l mut [AssetState],
    blocks: Vec<OpenBlock<'l>>,
}

impl Open<'_> {
    fn read(&mut self, transaction: &TransactionView<'_>) {
        let txid = transaction.txid();
        for (state, block) in self.assets.iter_mut().zip(&mut self.blocks) {
            state.read(block, transaction, txid);
        }
    }

    fn finish(self) -> Vec<(usize, LedgerEvent)> {
        let mut events = Vec::new();
        for (index, (state, block)) in self.assets.iter_mut().zip(self.blocks).enumerate() {
            let events_of_asset = state.finish(block);
            events.extend(events_of_asset.into_iter().map(|event| (index, event)));
        }
        events
    }
}

fn fingerprints(chain: &Chain, settings: &[AssetSettings]) -> Vec<[u8; 32]> {
    settings
        .iter()
        .map(|settings| settings.fingerprint(chain))
        .collect()
}
