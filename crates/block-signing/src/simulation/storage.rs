//! What a height may leave in a store (rule R27).

use std::collections::BTreeMap;

use federation_chain::BlockHeight;

use crate::Record;

use super::{check::Breach, exercise::Exercise, world::World};

impl World {
    /// However many rounds a height takes, its records stay below a number that only the window of
    /// rounds sets: two votes and a proposal for each of them; the lock; three proofs of lock; five
    /// blocks; round, decision and signature.
    pub(super) fn check_store(&mut self, slot: usize) -> Result<(), Breach> {
        let state = &self.slots[slot];
        if !state.honest {
            return Ok(());
        }
        let window = state.config.limits().rounds_behind as usize + 1;
        let most = 3 * window + 1 + 3 + 5 + 3;
        let mut heights: BTreeMap<BlockHeight, usize> = BTreeMap::new();
        for height in state.records().filter_map(|record: Record| record.height()) {
            *heights.entry(height).or_default() += 1;
        }
        let operator = state.id;
        self.count(Exercise::StoreChecked);
        match heights.into_iter().find(|(_, records)| *records > most) {
            None => Ok(()),
            Some((height, records)) => Err(Breach::StoreGrows {
                operator,
                height,
                records,
            }),
        }
    }
}
