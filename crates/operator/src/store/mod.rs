//! What an operator must not forget, in embedded databases in one folder.
//!
//! `operator.redb` holds the protocol's records and the evidence, `guard.redb` what the key has
//! signed. They are apart because the guard goes with the key. `reissuance.redb` is there where assets
//! are reissued.

mod cause;
mod database;
mod error;
mod evidence;
mod guard;
mod halt;
mod held;
#[cfg(test)]
mod power_loss;
mod records;
mod reissuance;

use tokio_util::task::TaskTracker;

pub use error::StoreError;
pub(crate) use evidence::message_of;
pub use evidence::{EvidenceError, EvidenceReader, StoredEvidence};
pub use guard::RedbGuardStore;
pub use halt::{Halt, HaltReason, Resumed};
pub use held::HeldGuardStore;
pub use records::Store;
pub use reissuance::ReissuanceStore;

/// Writes where blocking is no harm; a write that was interrupted counts as failed. One whose future was
/// dropped goes on, so it is among the tasks that a stopping operator waits for.
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
