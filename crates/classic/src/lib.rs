//! The protocol `classic` of the Python federation of 2019, for an operator that changes to this
//! program while the others still run the old one.
//!
//! It keeps the old wire and the turns by the clock, but adds the missing checks. A proposal is signed
//! only if it came from the operator whose turn it is (where the wire shows that), has the right
//! height, builds on our node's best block, and is valid according to that node; only one block is
//! signed per turn, recorded before the signature exists; signatures are verified, not just counted;
//! malformed messages are dropped.
//!
//! What the old wire makes impossible is listed in [`LIMITS`]. Use this protocol for a migration only.
//!
//! ```text
//!  wire (ZeroMQ, Kafka) ──> Input ──> Machine ──> Output ──> wire
//!  node ──────────────────> Input        │          ├──────> node
//!  clock ─────────────────> now          │          └──────> TurnGuard (durable) ──> signer
//!                                   no I/O here
//! ```
//!
//! [`Machine`] decides, without I/O and with time as an input; [`Operator`] drives it with a node, a
//! wire, a signer and the guard. A [`Reissuer`] creates, checks, signs and sends reissuances as the old
//! program does.
//!
//! ```
//! use std::time::Duration;
//!
//! use federation_chain::UnixTime;
//! use federation_classic::Schedule;
//!
//! # fn main() -> Result<(), federation_classic::ScheduleError> {
//! let schedule = Schedule::new(Duration::from_secs(60), 5)?;
//! let turn = schedule.turn_after(UnixTime::from_secs(1_570_000_000), schedule.interval());
//! assert_eq!(turn.start(), UnixTime::from_secs(1_570_000_020));
//! assert_eq!(turn.leader(), 2);
//! # Ok(())
//! # }
//! ```

mod driver;
mod guard;
mod guard_file;
mod input;
mod machine;
mod message;
mod output;
mod reissuance;
mod schedule;
mod signer;
pub mod wire;

pub use driver::{CallLimits, Clock, Operator, OperatorError, RunOutcome, system_clock};
pub use guard::{TurnGuard, TurnGuardError, TurnRecord, TurnState};
pub use guard_file::{GuardFile, GuardFileError};
pub use input::{ChainView, Input, Verdict};
pub use machine::{Config, Machine};
pub use message::{MAX_BLOCK, MAX_MESSAGE, Message, MessageError, TxSignatures};
pub use output::{Duty, Event, Output};
pub use reissuance::{
    Created, FreezeEntry, NodeError, RawReissuance, ReissuanceConfig, ReissuanceConfigError,
    ReissuanceNode, ReissueError, Reissuer, Unspent, UtxoAsset,
};
pub use schedule::{MAX_INTERVAL, MAX_OPERATORS, MIN_INTERVAL, Schedule, ScheduleError, Turn};
pub use signer::{BlockSigner, KeySigner, NodeSigner, SignFailure};

/// The warning about what this protocol cannot guarantee, logged once at start.
pub const LIMITS: &str = "the classic protocol cannot guarantee that a block is final: its messages are not \
    authenticated and operators sign again in each turn, so honest operators can complete two blocks \
    of one height; a clock that is wrong by a third of the interval, or a node that is behind, is \
    enough. Use it only until all operators have changed to `agreed`";
