//! What the guard knows: the hash signed at each open height, and the highest final height.

use core::ops::Bound;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, BlockHeight};

/// For how many heights at and below the highest final one records are kept, for audits.
pub const AUDIT_HEIGHTS: u32 = 256;

/// Most records above the highest final height. When there would be more, the lowest count as
/// final: the guard then refuses them, so it stays safe, and its state stays bounded.
pub const MAX_OPEN_HEIGHTS: usize = 1024;

/// The guard's records.
///
/// A plain value, for stores to return and for audits to read. It checks and changes itself only
/// by rules under which no height ever gets a second hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardState {
    highest_final: Option<BlockHeight>,
    signed: BTreeMap<BlockHeight, BlockHash>,
}

impl GuardState {
    /// A state from what a store holds.
    #[must_use]
    pub fn new(
        highest_final: Option<BlockHeight>,
        signed: impl IntoIterator<Item = (BlockHeight, BlockHash)>,
    ) -> Self {
        Self {
            highest_final,
            signed: signed.into_iter().collect(),
        }
    }

    /// The highest height known to be final, at or below which nothing is signed.
    #[must_use]
    pub const fn highest_final(&self) -> Option<BlockHeight> {
        self.highest_final
    }

    /// The hash on record at a height.
    #[must_use]
    pub fn signed(&self, height: BlockHeight) -> Option<BlockHash> {
        self.signed.get(&height).copied()
    }

    /// All records, lowest height first.
    pub fn records(&self) -> impl Iterator<Item = (BlockHeight, BlockHash)> {
        self.signed.iter().map(|(height, hash)| (*height, *hash))
    }

    /// Puts a hash on record, unless another is; says which, then.
    ///
    /// # Errors
    /// The hash that is on record at this height, if it is another one.
    pub fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), BlockHash> {
        let signed = *self.signed.entry(height).or_insert(hash);
        if signed == hash { Ok(()) } else { Err(signed) }
    }

    /// Raises the highest final height and forgets records more than [`AUDIT_HEIGHTS`] below it.
    /// A lower height than the present one changes nothing.
    pub fn raise_final(&mut self, height: BlockHeight) {
        if self.highest_final.is_some_and(|highest| highest >= height) {
            return;
        }
        self.highest_final = Some(height);
        let kept_from = BlockHeight::new(height.to_u32().saturating_sub(AUDIT_HEIGHTS));
        self.signed = self.signed.split_off(&kept_from);
    }

    /// Up to which height must count as final before another height can be recorded, if any.
    pub(crate) fn overflow(&self, height: BlockHeight) -> Option<BlockHeight> {
        if self.signed.contains_key(&height) {
            return None;
        }
        let above = self.highest_final.map_or(Bound::Unbounded, Bound::Excluded);
        let mut open = self.signed.range((above, Bound::Unbounded));
        let lowest = open.next()?;
        (open.count() + 1 >= MAX_OPEN_HEIGHTS).then_some(*lowest.0)
    }
}
