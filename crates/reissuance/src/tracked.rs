//! Unspent outputs that a ledger keeps, of which strangers can make any number: never more than a
//! fixed count of each kind, and which ones follows from the chain alone, so that all who read it
//! keep the same.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use elements::OutPoint;
use serde::{Deserialize, Serialize};

/// What an output is kept for.
pub(crate) trait Worth {
    /// How much it holds, in satoshi.
    fn worth(&self) -> u64;
}

impl Worth for u64 {
    fn worth(&self) -> u64 {
        *self
    }
}

/// At most `MOST` outputs, in the order in which they came.
///
/// Finding, adding and removing one takes about as many steps as the count has bits, so that a block
/// full of crumbs costs no more than its reading.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    into = "Vec<(OutPoint, T)>",
    try_from = "Vec<(OutPoint, T)>",
    bound(
        serialize = "T: Clone + Serialize",
        deserialize = "T: Worth + Clone + Deserialize<'de>"
    )
)]
pub(crate) struct Kept<T, const MOST: usize> {
    /// What the next one gets as its age.
    next: u64,
    by_outpoint: BTreeMap<OutPoint, (u64, T)>,
    /// Smallest first, of equal ones the newest.
    by_worth: BTreeSet<(u64, Reverse<u64>, OutPoint)>,
}

/// A list that no ledger has made: too long, or with one output twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more outputs than are kept, or one twice")]
pub(crate) struct NotKept;

impl<T, const MOST: usize> Kept<T, MOST> {
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

    /// All of them, the oldest first.
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

impl<T: Worth, const MOST: usize> Kept<T, MOST> {
    /// Keeps one more if there is room, and says whether there was. What is kept is never given up for
    /// something else.
    pub(crate) fn add_if_room(&mut self, outpoint: OutPoint, item: T) -> bool {
        self.remove(&outpoint);
        if self.by_outpoint.len() >= MOST {
            return false;
        }
        self.insert(outpoint, item);
        true
    }

    /// Keeps the largest, of equal ones the oldest, and says whether nothing had to go.
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

/// Two are equal if they keep the same in the same order; the numbers of the ages are not stored.
impl<T: PartialEq, const MOST: usize> PartialEq for Kept<T, MOST> {
    fn eq(&self, other: &Self) -> bool {
        self.by_outpoint.len() == other.by_outpoint.len()
            && self.oldest_first() == other.oldest_first()
    }
}

impl<T: Eq, const MOST: usize> Eq for Kept<T, MOST> {}

impl<T: Clone, const MOST: usize> From<Kept<T, MOST>> for Vec<(OutPoint, T)> {
    fn from(kept: Kept<T, MOST>) -> Self {
        kept.oldest_first()
            .into_iter()
            .map(|(outpoint, item)| (outpoint, item.clone()))
            .collect()
    }
}

impl<T: Worth, const MOST: usize> TryFrom<Vec<(OutPoint, T)>> for Kept<T, MOST> {
    type Error = NotKept;

    fn try_from(list: Vec<(OutPoint, T)>) -> Result<Self, NotKept> {
        let mut kept = Self::new();
        for (outpoint, item) in list {
            if kept.contains(&outpoint) || !kept.add_if_room(outpoint, item) {
                return Err(NotKept);
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use elements::Txid;
    use proptest::prelude::*;

    use super::*;

    fn outpoint(number: u32) -> OutPoint {
        // So that the order of outpoints is not the order in which they come.
        let mut bytes = [0; 32];
        bytes[0] = number.to_le_bytes()[0].reverse_bits();
        OutPoint::new(Txid::from_byte_array(bytes), number)
    }

    /// The largest four of a list, of equal ones the first, in the order in which they came.
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
            let mut kept = Kept::<u64, 4>::new();
            for (number, value) in (0..).zip(&values) {
                let room = number < 4;
                prop_assert_eq!(kept.add_if_larger(outpoint(number), *value), room);
            }
            let found: Vec<(usize, u64)> = kept
                .oldest_first()
                .into_iter()
                .map(|(outpoint, value)| (outpoint.vout as usize, *value))
                .collect();
            prop_assert_eq!(found, largest(&values));
            let bytes = postcard::to_stdvec(&kept).expect("encoded");
            prop_assert_eq!(postcard::from_bytes::<Kept<u64, 4>>(&bytes), Ok(kept));
        }

        #[test]
        fn what_is_removed_makes_room(removed in 0..4u32) {
            let mut kept = Kept::<u64, 4>::new();
            for number in 0..4 {
                prop_assert!(kept.add_if_room(outpoint(number), 7));
            }
            prop_assert!(!kept.add_if_room(outpoint(9), 100), "nothing is given up");
            prop_assert_eq!(kept.remove(&outpoint(removed)), Some(7));
            prop_assert!(kept.add_if_room(outpoint(9), 100));
            let last = kept.oldest_first().last().map(|(outpoint, _)| *outpoint);
            prop_assert_eq!(last, Some(outpoint(9)));
        }
    }

    #[test]
    fn a_list_that_is_too_long_or_repeats_does_not_decode() {
        let list = |numbers: &[u32]| -> Vec<(OutPoint, u64)> {
            numbers.iter().map(|n| (outpoint(*n), 1)).collect()
        };
        let decode = |numbers: &[u32]| {
            let bytes = postcard::to_stdvec(&list(numbers)).expect("encoded");
            postcard::from_bytes::<Kept<u64, 4>>(&bytes).is_ok()
        };
        assert!(decode(&[1, 2, 3, 4]));
        assert!(!decode(&[1, 2, 3, 4, 5]));
        assert!(!decode(&[1, 1]));
    }
}
