//! The limit of what a height may leave in a store (rule R27).

use std::collections::BTreeMap;

use federation_chain::BlockHeight;

use crate::Record;

use super::{check::Violation, coverage::CoveragePoint, world::World};

impl World {
    /// Checks that the number of a height's records depends only on the window of rounds, however
    /// many rounds it takes: two votes and a proposal per round; the lock; three proofs of lock;
    /// five blocks; round, decision and signature.
    pub(super) fn check_store(&mut self, slot: usize) -> Result<(), Violation> {
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
        self.cover(CoveragePoint::StoreChecked);
        match heights.into_iter().find(|(_, records)| *records > most) {
            None => Ok(()),
            Some((height, records)) => Err(Violation::StoreGrows {
                operator,
                height,
                records,
            }),
        }
    }
}
