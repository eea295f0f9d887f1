//! What an operator must not forget, in two embedded databases in one folder.
//!
//! `operator.redb` holds the protocol's records and the evidence, `guard.redb` what the key has
//! signed. They are apart because the guard goes with the key.

mod database;
mod error;
mod evidence;
mod guard;
mod held;
#[cfg(test)]
mod power_loss;
mod records;

pub use error::StoreError;
pub(crate) use evidence::message_of;
pub use evidence::{EvidenceError, EvidenceReader, StoredEvidence};
pub use guard::RedbGuardStore;
pub use held::HeldGuardStore;
pub use records::Store;
