//! Files next to the store through which a running operator informs other programs on its machine.
//!
//! The store is locked by the running daemon, so no other process can read it. Instead the daemon
//! writes `status.json` when something has changed, at most once a second and at least every ten
//! seconds, and `evidence.json` when there is new evidence. Each file is replaced atomically, so
//! that a reader finds either the old or the new one. They are output only: no daemon ever reads
//! them back.

mod alarm;
mod evidence;
mod file;
mod report;
mod standstill;
mod writer;

pub(crate) use alarm::text as alarm_text;
pub use evidence::{EvidenceReport, MessageReport, ReadEvidenceError};
pub use file::{StatusError, read_status};
pub use report::{
    AlarmReport, AssetReport, BlockReport, CountersReport, DifferenceReport, GuardReport,
    MessengerReport, PeerReport, SignedReport, StandstillReport, StatusReport, TroubleReport,
};
pub(crate) use standstill::format_duration;
pub use standstill::{Standstill, StandstillCause};
pub use writer::StatusWriter;
