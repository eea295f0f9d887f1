//! Signs one block hash per height: the record first, durably, the signature after.

mod error;
mod memory;
mod signer;
mod state;
mod store;

pub use error::GuardError;
pub use memory::MemoryGuardStore;
pub use signer::GuardedSigner;
pub use state::{AUDIT_HEIGHTS, GuardState, MAX_OPEN_HEIGHTS};
pub use store::{GuardStore, GuardStoreError};
