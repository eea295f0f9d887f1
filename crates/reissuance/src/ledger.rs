//! What the chain says of the assets that are reissued, block by block.
//!
//! A [`Ledger`] is fed every block in turn. It finds each asset's issuance, counts what is in
//! circulation, knows which outputs hold the reissuance tokens and the coins for fees, fixes at
//! each point what is to be made, and recognises what was made for which point. Everybody who reads
//! the same chain comes to the same ledger.

use elements::{AssetId, OutPoint};
use federation_chain::{Block, BlockHash, BlockHeight, DecodeError, TransactionView};
use serde::{Deserialize, Serialize};

use crate::{
    AssetSettings, Chain, LedgerEvent,
    asset::{AssetState, Due, OpenBlock},
};

/// The version of a ledger's stored state: 1 kept outputs without a bound, and judged what was made
/// for points and destroyed to be more than there is.
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
    /// A block whose transactions cannot be read.
    #[error("the block at height {height} cannot be read: {why}")]
    Transactions {
        /// The block's height.
        height: BlockHeight,
        /// What is wrong with it.
        why: DecodeError,
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

impl Ledger {
    /// The ledger of a chain of which nothing was read yet.
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

    /// What is owed of the asset at a place in the settings, the oldest point first.
    #[must_use]
    pub fn owed(&self, index: usize) -> Vec<Due> {
        self.asset(index)
            .map_or_else(Vec::new, |(_, state)| state.owed())
    }

    /// What will be owed of the asset at a place in the settings at points above the last block that
    /// was read and up to a height, if nothing but these reissuances changes what is in circulation;
    /// ten thousand points at most.
    #[must_use]
    pub fn forecast(&self, index: usize, to: BlockHeight) -> Vec<Due> {
        self.asset(index)
            .map_or_else(Vec::new, |(settings, state)| {
                state.forecast(settings, &self.chain, self.next_height(), to)
            })
    }

    /// The reissuance token of the asset at a place in the settings, once issued.
    #[must_use]
    pub fn token(&self, index: usize) -> Option<AssetId> {
        self.asset(index)?.1.issued().map(|(_, token)| token)
    }

    /// The outputs that hold reissuance tokens of the asset at a place in the settings, and how many
    /// each, in satoshi; the oldest first.
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

    /// Whether an output holds tokens or coins of the asset at a place in the settings, unspent.
    #[must_use]
    pub fn holds(&self, index: usize, outpoint: OutPoint) -> bool {
        self.asset(index)
            .is_some_and(|(_, state)| state.holds(&outpoint))
    }

    /// Whether an output held tokens of the asset at a place in the settings, which a block has spent
    /// while what is owed now was owed. Of an output that was never seen this is not so, nor of one
    /// that was spent before a thousand others.
    #[must_use]
    pub fn has_spent(&self, index: usize, outpoint: OutPoint) -> bool {
        self.asset(index)
            .is_some_and(|(_, state)| state.spent.contains(&outpoint))
    }

    /// Reads the next block, and tells what it says of which asset, by its place in the settings. What
    /// the block's hash commits to is not checked here; see [`Block::check_stored_commitments`].
    ///
    /// # Errors
    /// If the block is not the next one or cannot be read, and then nothing is changed.
    pub fn apply_block(&mut self, block: &Block) -> Result<Vec<(usize, LedgerEvent)>, LedgerError> {
        let (height, hash) = (block.height(), block.block_hash());
        self.check(height, hash, block.header().previous())?;
        let unreadable = |why| LedgerError::Transactions { height, why };
        // Read to its end once before anything is changed.
        block.each_transaction(|_| ()).map_err(unreadable)?;
        let mut open = self.open(height);
        block
            .each_transaction(|transaction| open.read(&transaction))
            .map_err(unreadable)?;
        let events = open.finish();
        self.state.tip = Some((height, hash));
        Ok(events)
    }

    /// As [`apply_block`](Self::apply_block), of a block whose transactions were read already.
    ///
    /// # Errors
    /// If the block is not the next one, and then nothing is changed.
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
            let said = state.finish(block);
            events.extend(said.into_iter().map(|event| (index, event)));
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
