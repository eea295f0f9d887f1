//! Signs one block hash per height: durable record first, then the signature.

mod error;
mod held;
mod memory;
mod record;
mod signer;
mod state;
mod store;

pub use error::GuardError;
pub use held::{GuardEnd, GuardStanding, HeldGuard, ImportError, TakeBack};
pub use memory::MemoryGuardStore;
pub use record::{
    DecodeGuardRecordError, GuardPin, GuardRecord, GuardRecordError, GuardRecordKind,
    MAX_GUARD_RECORD_BYTES, SignedGuardRecord,
};
pub use signer::{GuardInUse, GuardedSigner};
pub use state::{AUDIT_HEIGHTS, GuardContradiction, GuardState, MAX_OPEN_HEIGHTS};
pub use store::{GuardStore, GuardStoreError};
