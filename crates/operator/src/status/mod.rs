//! What a running operator tells other programs of its machine: files beside its store.
//!
//! The store is locked by the daemon that runs, so nobody else can read it. Instead the daemon
//! writes `status.json` when something has changed, at most once a second and at least every ten, and
//! `evidence.json` when there is new evidence. Each is replaced as a whole, so that a reader finds the old or the new
//! one. They are for reading only: no daemon ever takes anything from them.

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
pub(crate) use standstill::words;
pub use standstill::{Standstill, StandstillCause};
pub use writer::StatusWriter;
