//! An operator's durable state, in embedded databases in one folder.
//!
//! `operator.redb` holds the protocol's records, the evidence and the halt; `guard.redb` holds what the
//! key has signed. They are separate because the guard moves with the key. `reissuance.redb` exists if
//! assets are reissued.

mod cause;
mod database;
mod error;
mod evidence;
mod guard;
mod guard_database;
mod halt;
#[cfg(test)]
mod power_loss;
mod records;
mod reissuance;
mod transaction;

use tokio_util::task::TaskTracker;

pub use error::StoreError;
pub(crate) use evidence::message_of;
pub use evidence::{EvidenceError, EvidenceStore, StoredEvidence};
pub use guard::RedbGuardStore;
pub use guard_database::GuardDatabase;
pub use halt::{ClearedHalt, Halt, HaltReason};
pub use records::Store;
pub use reissuance::ReissuanceStore;

/// Runs a write on a blocking thread. An interrupted write counts as failed. A write continues if its
/// future is dropped, so it is one of the tasks that a stopping operator waits for.
pub(crate) async fn on_disk(
    tasks: &TaskTracker,
    write: impl FnOnce() -> Result<(), StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    let span = tracing::Span::current();
    tasks
        .spawn_blocking(move || span.in_scope(write))
        .await
        .unwrap_or_else(|error| Err(StoreError::Interrupted(error.to_string())))
}
