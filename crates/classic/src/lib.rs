//! The protocol `classic`: that of the Python federation of 2019, for an operator who changes to
//! this program while the others still run the old one.
//!
//! It keeps the old wire and its turns by the clock, not its carelessness. A proposal is signed only
//! if it came from the operator whose turn it is (where the wire tells), is of the right height, on
//! the own node's best block, and valid by that node; in one turn one block, on record before the
//! signature exists; signatures are verified, not counted; garbage is dropped.
//!
//! What it cannot do is what the wire has no room for: see [`LIMITS`]. Use it for a migration only.
//!
//! ```text
//!  wire (ZeroMQ, Kafka) ──> Input ──> Machine ──> Output ──> wire
//!  node ──────────────────> Input        │          ├──────> node
//!  clock ─────────────────> now          │          └──────> TurnGuard (durable) ──> signer
//!                                   no I/O here
//! ```
//!
//! [`Machine`] decides, without I/O and by given time; [`Operator`] drives it with a node, a wire, a
//! signer and the guard. A [`Reissuer`] makes, checks, signs and sends the reissuances of the old
//! program, if there are any.
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

pub use driver::{CallLimits, Clock, Ended, Operator, OperatorError, system_clock};
pub use guard::{TurnGuard, TurnGuardError, TurnRecord, TurnState};
pub use guard_file::{GuardFile, GuardFileError};
pub use input::{ChainView, Input, Verdict};
pub use machine::{Config, Machine};
pub use message::{MAX_BLOCK, MAX_MESSAGE, Message, MessageError, TxSignatures};
pub use output::{Event, Output, Share};
pub use reissuance::{
    Created, FreezeEntry, NodeError, RawReissuance, ReissuanceConfig, ReissuanceConfigError,
    ReissuanceNode, ReissueError, Reissuer, Unspent, UtxoAsset,
};
pub use schedule::{MAX_INTERVAL, MAX_OPERATORS, MIN_INTERVAL, Schedule, ScheduleError, Turn};
pub use signer::{BlockSigner, KeySigner, NodeSigner, SignFailure};

/// What this protocol cannot promise, for people, to be said once at a start.
pub const LIMITS: &str = "the classic protocol cannot promise that a block is final: nothing on its wire is \
    authenticated, operators sign again in each turn, and so two blocks of one height can both be \
    completed by honest operators; a clock that is wrong by a third of the interval, or a node that \
    is behind, is enough. Use it only until all operators have changed to `agreed`";
