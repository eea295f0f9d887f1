//! Unspent outputs that a ledger tracks. Third parties can create any number of them, so only a
//! limited number of each kind is tracked. The choice follows from the chain alone, so that all
//! readers track the same outputs.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use elements::OutPoint;
use serde::{Deserialize, Serialize};

/// The value by which outputs are compared.
pub(crate) trait Worth {
    /// Returns the value, in satoshi.
    fn worth(&self) -> u64;
}

impl Worth for u64 {
    fn worth(&self) -> u64 {
        *self
    }
}

/// At most `MOST` outputs, in order of arrival.
///
/// Finding, adding and removing one takes logarithmic time, so a block full of tiny outputs is
/// cheap to process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    into = "Vec<(OutPoint, T)>",
    try_from = "Vec<(OutPoint, T)>",
    bound(
        serialize = "T: Clone + Serialize",
        deserialize = "T: Worth + Clone + Deserialize<'de>"
    )
)]
pub(crate) struct TrackedOutputs<T, const MOST: usize> {
    /// The age of the next output.
    next: u64,
    by_outpoint: BTreeMap<OutPoint, (u64, T)>,
    /// Smallest first, of equal ones the newest.
    by_worth: BTreeSet<(u64, Reverse<u64>, OutPoint)>,
}

/// A list that no ledger produces: too long, or with a repeated output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many outputs, or a repeated one")]
pub(crate) struct InvalidOutputs;

impl<T, const MOST: usize> TrackedOutputs<T, MOST> {
    pub(crate) const fn new() -> Self {
        Self {
            next: 0,
            by_outpoint: BTreeMap::new(),
            by_worth: BTreeSet::new(),
        }
    }

    pub(crate) fn contains(&self, outpoint: &OutPoint) -> bool {
        self.by_outpoint.contains_key(outpoint)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.by_outpoint.values().map(|(_, item)| item)
    }

    /// Returns all outputs, the oldest first.
    pub(crate) fn oldest_first(&self) -> Vec<(OutPoint, &T)> {
        let mut all: Vec<_> = self
            .by_outpoint
            .iter()
            .map(|(outpoint, (age, item))| (*age, *outpoint, item))
            .collect();
        all.sort_unstable_by_key(|(age, ..)| *age);
        all.into_iter()
            .map(|(_, outpoint, item)| (outpoint, item))
            .collect()
    }
}

impl<T: Worth, const MOST: usize> TrackedOutputs<T, MOST> {
    /// Adds an output if there is room, and returns whether there was. Existing outputs are never
    /// displaced.
    pub(crate) fn add_if_room(&mut self, outpoint: OutPoint, item: T) -> bool {
        self.remove(&outpoint);
        if self.by_outpoint.len() >= MOST {
            return false;
        }
        self.insert(outpoint, item);
        true
    }

    /// Keeps the largest, of equal ones the oldest; returns whether nothing was dropped.
    pub(crate) fn add_if_larger(&mut self, outpoint: OutPoint, item: T) -> bool {
        self.remove(&outpoint);
        let has_room = self.by_outpoint.len() < MOST;
        if !has_room {
            match self.by_worth.first().copied() {
                Some((least, _, smallest)) if least < item.worth() => {
                    self.remove(&smallest);
                }
                _ => return false,
            }
        }
        self.insert(outpoint, item);
        has_room
    }

    pub(crate) fn remove(&mut self, outpoint: &OutPoint) -> Option<T> {
        let (age, item) = self.by_outpoint.remove(outpoint)?;
        self.by_worth
            .remove(&(item.worth(), Reverse(age), *outpoint));
        Some(item)
    }

    fn insert(&mut self, outpoint: OutPoint, item: T) {
        let age = self.next;
        self.next += 1;
        self.by_worth.insert((item.worth(), Reverse(age), outpoint));
        self.by_outpoint.insert(outpoint, (age, item));
    }
}

/// Equal if they hold the same outputs in the same order; ages are not stored.
impl<T: PartialEq, const MOST: usize> PartialEq for TrackedOutputs<T, MOST> {
    fn eq(&self, other: &Self) -> bool {
        self.by_outpoint.len() == other.by_outpoint.len()
            && self.oldest_first() == other.oldest_first()
    }
}

impl<T: Eq, const MOST: usize> Eq for TrackedOutputs<T, MOST> {}

impl<T: Clone, const MOST: usize> From<TrackedOutputs<T, MOST>> for Vec<(OutPoint, T)> {
    fn from(tracked: TrackedOutputs<T, MOST>) -> Self {
        tracked
            .oldest_first()
            .into_iter()
            .map(|(outpoint, item)| (outpoint, item.clone()))
            .collect()
    }
}

impl<T: Worth, const MOST: usize> TryFrom<Vec<(OutPoint, T)>> for TrackedOutputs<T, MOST> {
    type Error = InvalidOutputs;

    fn try_from(list: Vec<(OutPoint, T)>) -> Result<Self, InvalidOutputs> {
        let mut tracked = Self::new();
        for (outpoint, item) in list {
            if tracked.contains(&outpoint) || !tracked.add_if_room(outpoint, item) {
                return Err(InvalidOutputs);
            }
        }
        Ok(tracked)
    }
}

#[cfg(test)]
mod tests {
    use elements::Txid;
    use proptest::prelude::*;

    use super::*;

    fn outpoint(number: u32) -> OutPoint {
        // So that the order of outpoints differs from the order of arrival.
        let mut bytes = [0; 32];
        bytes[0] = number.to_le_bytes()[0].reverse_bits();
        OutPoint::new(Txid::from_byte_array(bytes), number)
    }

    /// Returns the largest four of a list, of equal ones the first, in order of arrival.
    fn largest(of: &[u64]) -> Vec<(usize, u64)> {
        let mut sorted: Vec<_> = of.iter().copied().enumerate().collect();
        sorted.sort_by_key(|(at, value)| (Reverse(*value), *at));
        sorted.truncate(4);
        sorted.sort_unstable();
        sorted
    }

    proptest! {
        #[test]
        fn the_largest_are_kept_and_of_equal_ones_the_oldest(
            values in prop::collection::vec(0..6u64, 0..30),
        ) {
            let mut tracked = TrackedOutputs::<u64, 4>::new();
            for (number, value) in (0..).zip(&values) {
                let room = number < 4;
                prop_assert_eq!(tracked.add_if_larger(outpoint(number), *value), room);
            }
            let found: Vec<(usize, u64)> = tracked
                .oldest_first()
                .into_iter()
                .map(|(outpoint, value)| (outpoint.vout as usize, *value))
                .collect();
            prop_assert_eq!(found, largest(&values));
            let bytes = postcard::to_stdvec(&tracked).expect("encoded");
            prop_assert_eq!(postcard::from_bytes::<TrackedOutputs<u64, 4>>(&bytes), Ok(tracked));
        }

        #[test]
        fn a_removal_makes_room(removed in 0..4u32) {
            let mut tracked = TrackedOutputs::<u64, 4>::new();
            for number in 0..4 {
                prop_assert!(tracked.add_if_room(outpoint(number), 7));
            }
            prop_assert!(!tracked.add_if_room(outpoint(9), 100), "nothing is displaced");
            prop_assert_eq!(tracked.remove(&outpoint(removed)), Some(7));
            prop_assert!(tracked.add_if_room(outpoint(9), 100));
            let last = tracked.oldest_first().last().map(|(outpoint, _)| *outpoint);
            prop_assert_eq!(last, Some(outpoint(9)));
        }
    }

    #[test]
    fn a_list_that_is_too_long_or_has_a_repetition_does_not_decode() {
        let list = |numbers: &[u32]| -> Vec<(OutPoint, u64)> {
            numbers.iter().map(|n| (outpoint(*n), 1)).collect()
        };
        let decode = |numbers: &[u32]| {
            let bytes = postcard::to_stdvec(&list(numbers)).expect("encoded");
            postcard::from_bytes::<TrackedOutputs<u64, 4>>(&bytes).is_ok()
        };
        assert!(decode(&[1, 2, 3, 4]));
        assert!(!decode(&[1, 2, 3, 4, 5]));
        assert!(!decode(&[1, 1]));
    }
}
