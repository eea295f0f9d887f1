//! A store in memory, for tests and simulations.

use std::sync::{Arc, Mutex, PoisonError};

use federation_chain::{BlockHash, BlockHeight};

use super::{GuardState, GuardStore, GuardStoreError};

/// Keeps records in memory. Clones share them, as restarts share a store on disk.
///
/// Not for production: its records are lost when the process ends, and with them the guard's
/// guarantee.
#[derive(Debug, Clone, Default)]
pub struct MemoryGuardStore {
    state: Arc<Mutex<GuardState>>,
}

impl MemoryGuardStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl GuardStore for MemoryGuardStore {
    fn load(&self) -> Result<GuardState, GuardStoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.clone())
    }

    fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardStoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .record(height, hash)
            .map_err(|signed| GuardStoreError::Conflict {
                height,
                signed,
                asked: hash,
            })
    }

    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardStoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.raise_final(height);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    #[test]
    fn passes_the_contract() {
        contract::guard_store(|| {
            let store = MemoryGuardStore::new();
            move || store.clone()
        });
    }
}
