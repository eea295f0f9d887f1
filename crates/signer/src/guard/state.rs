//! The guard's knowledge: the hash signed at each open height, and the highest final height.

use core::ops::Bound;
use std::collections::BTreeMap;

use federation_chain::{BlockHash, BlockHeight};

/// The number of heights below the highest final one whose records are kept for audits.
pub const AUDIT_HEIGHTS: u32 = 256;

/// Limit on the records above the highest final height. Beyond it, the lowest count as final: the
/// guard then refuses them, so it stays safe and its state stays bounded.
pub const MAX_OPEN_HEIGHTS: usize = 1024;

/// Two blocks at one height, both on record as signed by one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "two blocks at height {height} are on record as signed by this key: {ours} here, {theirs} there"
)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardContradiction {
    /// The height of both.
    pub height: BlockHeight,
    /// The block on record here.
    pub ours: BlockHash,
    /// The block on record elsewhere.
    pub theirs: BlockHash,
}

/// The guard's records.
///
/// A plain value, for stores to return and audits to read. It can only be changed in ways that
/// never give a height a second hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardState {
    highest_final: Option<BlockHeight>,
    signed: BTreeMap<BlockHeight, BlockHash>,
}

impl GuardState {
    /// Creates a state from the content of a store.
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

    /// Returns the highest final height, at or below which nothing is signed.
    #[must_use]
    pub const fn highest_final(&self) -> Option<BlockHeight> {
        self.highest_final
    }

    /// Returns the hash on record at a height.
    #[must_use]
    pub fn signed(&self, height: BlockHeight) -> Option<BlockHash> {
        self.signed.get(&height).copied()
    }

    /// Returns all records, lowest height first.
    pub fn records(&self) -> impl Iterator<Item = (BlockHeight, BlockHash)> {
        self.signed.iter().map(|(height, hash)| (*height, *hash))
    }

    /// Records a hash, unless another is on record.
    ///
    /// # Errors
    /// The hash on record at this height, if it is another one.
    pub fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), BlockHash> {
        let signed = *self.signed.entry(height).or_insert(hash);
        if signed == hash { Ok(()) } else { Err(signed) }
    }

    /// Raises the highest final height and drops records more than [`AUDIT_HEIGHTS`] below it. A
    /// lower height changes nothing.
    pub fn raise_final(&mut self, height: BlockHeight) {
        if self.highest_final.is_some_and(|highest| highest >= height) {
            return;
        }
        self.highest_final = Some(height);
        let kept_from = BlockHeight::new(height.to_u32().saturating_sub(AUDIT_HEIGHTS));
        self.signed = self.signed.split_off(&kept_from);
    }

    /// Returns the highest height that is on record or final.
    #[must_use]
    pub fn top(&self) -> Option<BlockHeight> {
        let signed = self.signed.last_key_value().map(|(height, _)| *height);
        signed.max(self.highest_final)
    }

    /// Returns whether a guard with this state refuses everything that one with the other state
    /// refuses.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.highest_final >= other.highest_final
            && other
                .records()
                .filter(|(height, _)| Some(*height) > self.highest_final)
                .all(|(height, hash)| self.signed(height) == Some(hash))
    }

    /// Merges two states into one that refuses what either refuses.
    ///
    /// # Errors
    /// The lowest height at which they have different blocks on record.
    pub fn merged(&self, other: &Self) -> Result<Self, GuardContradiction> {
        let mut merged = self.clone();
        for (height, theirs) in other.records() {
            merged
                .record(height, theirs)
                .map_err(|ours| GuardContradiction {
                    height,
                    ours,
                    theirs,
                })?;
        }
        if let Some(height) = other.highest_final {
            merged.raise_final(height);
        }
        merged.prune();
        Ok(merged)
    }

    /// Drops records too far below the highest final height, and makes the lowest open heights
    /// final if there are too many.
    fn prune(&mut self) {
        let Some(highest) = self.highest_final else {
            return self.bound();
        };
        let kept_from = BlockHeight::new(highest.to_u32().saturating_sub(AUDIT_HEIGHTS));
        self.signed = self.signed.split_off(&kept_from);
        self.bound();
    }

    fn bound(&mut self) {
        let above = self.highest_final.map_or(Bound::Unbounded, Bound::Excluded);
        let open = self.signed.range((above, Bound::Unbounded));
        let excess = open.clone().count().saturating_sub(MAX_OPEN_HEIGHTS);
        if let Some((height, _)) = excess.checked_sub(1).and_then(|at| open.clone().nth(at)) {
            self.raise_final(*height);
        }
    }

    /// Returns the height that must become final before another height can be recorded, if any.
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
