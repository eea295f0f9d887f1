//! Storage of the guard's records.

use std::{error::Error, sync::Arc};

use federation_chain::{BlockHash, BlockHeight};

use super::GuardState;

/// Why a guard's store failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GuardStoreError {
    /// The store holds another hash at this height. The guard checks before it records, so two
    /// guards share one store, or someone modified it.
    #[error(
        "the store holds block {signed} at height {height}, not {asked}: \
         stop the other program that uses this store"
    )]
    Conflict {
        /// The height of both.
        height: BlockHeight,
        /// The hash in the store.
        signed: BlockHash,
        /// The hash to be recorded.
        asked: BlockHash,
    },
    /// The disk or the database failed.
    #[error("reading or writing the guard's records failed")]
    Backend(#[source] Arc<dyn Error + Send + Sync>),
}

impl GuardStoreError {
    /// Wraps an error of the disk or database.
    pub fn backend(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend(Arc::new(source))
    }
}

/// Keeps the guard's records across crashes.
///
/// Calls may block on a disk: the guard makes them on a blocking thread. Implementations must pass
/// [`contract::guard_store`](crate::contract::guard_store).
pub trait GuardStore: Send {
    /// Loads all records.
    ///
    /// # Errors
    /// If they cannot be read, or are damaged.
    fn load(&self) -> Result<GuardState, GuardStoreError>;

    /// Records the hash signed at a height. It is durable when this returns: not even an immediate
    /// crash of the machine loses it. Recording the same hash again changes nothing.
    ///
    /// # Errors
    /// [`GuardStoreError::Conflict`] if another hash is on record at the height, which stays;
    /// [`GuardStoreError::Backend`] if the record may not be durable.
    fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardStoreError>;

    /// Raises the highest final height, durably, and drops the same records as
    /// [`GuardState::raise_final`]. A lower height changes nothing.
    ///
    /// # Errors
    /// If it may not be durable.
    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardStoreError>;
}

impl<S: GuardStore + ?Sized> GuardStore for Box<S> {
    fn load(&self) -> Result<GuardState, GuardStoreError> {
        (**self).load()
    }

    fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardStoreError> {
        (**self).record(height, hash)
    }

    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardStoreError> {
        (**self).raise_final(height)
    }
}
