//! Signs one block hash per height: durable record first, then the signature.

mod error;
mod memory;
mod record;
mod signer;
mod snapshot;
mod state;
mod store;

pub use error::GuardError;
pub use memory::MemoryGuardStore;
pub use record::{
    DecodeGuardRecordError, GuardPin, GuardRecord, GuardRecordError, GuardRecordKind,
    MAX_GUARD_RECORD_BYTES, SignedGuardRecord,
};
pub use signer::{GuardInUse, GuardedSigner};
pub use snapshot::{GuardEnd, GuardSnapshot, GuardStanding, ImportError, TakeBack};
pub use state::{AUDIT_HEIGHTS, GuardContradiction, GuardState, MAX_OPEN_HEIGHTS};
pub use store::{GuardStore, GuardStoreError};
