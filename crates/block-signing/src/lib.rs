//! Agree first, sign after: the protocol by which a federation of N operators, M of whom must sign,
//! makes one block at each height, as a state machine without I/O.
//!
//! The rules, what they guarantee and what they do not, are numbered in `docs/protocol.md`; the
//! code cites them as R1 to R29.
//!
//! ```text
//!            Input                                Output
//!  node      Tip, Template, Tested, Submitted     RequestTemplate, TestBlock, Submit
//!  signer    Signed, SignRefused, SignUnavailable SignBlock
//!  network   Received, Body                       Send, SendTo
//!  store     (at the start) records, StoreFailed  Persist, Forget, ForgetRecords
//!  clock     now, Tick                            poll_timeout
//!  people                                         Event, Evidence
//! ```
//!
//! [`Machine::handle`] takes an [`Input`] and the time. The driver then drains
//! [`Machine::poll_output`], makes every [`Output::Persist`] durable, acts on the rest, and comes
//! back with the next input, or with [`Input::Tick`] at [`Machine::poll_timeout`]. An answer that
//! takes time is an input once it is there; nothing blocks.
//!
//! The crate has no clock, no random source, no sockets, no keys and no async runtime. It does not
//! look inside blocks, and neither verifies nor makes signatures: its driver does that, before and
//! after (`federation-operator` is one). What others send is bounded here by sender, height and
//! round, and by size in [`Message::from_parts`].
//!
//! The feature `simulation` adds a federation in virtual time, whose network, stores, nodes and
//! clocks fail and some of whose operators lie.
//!
//! A federation of one, by hand:
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use federation_block_signing::*;
//! use federation_chain::{BlockHash, BlockHeight, UnixTime};
//! use federation_roster::OperatorId;
//!
//! # fn main() -> Result<(), ConfigError> {
//! let me = OperatorId::new(0);
//! let config = Config::new(1, 1, me, Duration::from_secs(60))?;
//! let mut machine = Machine::new(config, Vec::new());
//! let now = UnixTime::from_secs(1_700_000_000);
//! let genesis = BlockHash::from_bytes([0; 32]);
//! let mut inputs = vec![Input::Tip(Tip {
//!     height: BlockHeight::GENESIS,
//!     hash: genesis,
//!     time: now,
//!     median_time: now,
//!     first_block_time: None,
//! })];
//! let mut stored = Vec::new();
//! let mut submitted = None;
//! while let Some(input) = inputs.pop() {
//!     machine.handle(now, input);
//!     while let Some(output) = machine.poll_output() {
//!         match output {
//!             // Must be durable before anything below is acted on.
//!             Output::Persist(record) => stored.push(record),
//!             // Signed and broadcast; the sender receives it too.
//!             Output::Send(message) => inputs.push(Input::Received(SignedMessage {
//!                 sender: me,
//!                 message,
//!                 signature: IdentitySignature::from_bytes([1; 64]),
//!             })),
//!             Output::RequestTemplate { height, round } => inputs.push(Input::Template {
//!                 height,
//!                 round,
//!                 candidate: Candidate {
//!                     hash: BlockHash::from_bytes([7; 32]),
//!                     previous: genesis,
//!                     height,
//!                     time: now,
//!                     bytes: Bytes::from_static(b"the block"),
//!                 },
//!             }),
//!             Output::SignBlock { candidate } => inputs.push(Input::Signed {
//!                 height: candidate.height,
//!                 hash: candidate.hash,
//!                 signature: CompactSignature::from_bytes([2; 64]),
//!             }),
//!             Output::Submit { candidate, .. } => submitted = Some(candidate.hash),
//!             Output::TestBlock { .. } | Output::SendTo { .. } => {}
//!             Output::Forget { .. } | Output::ForgetRecords { .. } => {}
//!             Output::Evidence(_) | Output::Event(_) => {}
//!         }
//!     }
//! }
//! assert_eq!(submitted, Some(BlockHash::from_bytes([7; 32])));
//! # Ok(())
//! # }
//! ```

// The model is shared with an example, and refers to the crate by its external name.
#[cfg(test)]
extern crate self as federation_block_signing;

mod alarm;
mod bodies;
mod candidate;
mod config;
mod event;
mod fingerprint;
mod handle;
mod input;
mod machine;
mod message;
#[cfg(test)]
mod model;
#[cfg(test)]
mod mutation;
mod outbox;
mod output;
mod proofs;
mod record;
mod replies;
mod rules;
mod schedule;
mod signature;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod state;
mod timing;
mod vote_keeper;
mod votes;

pub use alarm::AlarmCode;
pub use candidate::Candidate;
pub use config::{Config, ConfigError, Limits, MAX_OPERATORS, Timeouts};
pub use event::{Alarm, Duty, Event, HeightReport, Part, Refusal, RoundOutcome, RoundReport};
pub use input::{Input, SubmitOutcome, Tip, Verdict};
pub use machine::{Machine, Phase, Status};
pub use message::{
    BlockSignature, Body, BodyRequest, Certificate, DecodeMessageError, MAX_BODY, MAX_SMALL,
    Message, MessageParts, Proposal, RoundCertificate, SignatureSet, SignedMessage, Vote, VoteKind,
};
pub use output::{Evidence, Output};
pub use record::{DecodeRecordError, Record, Standing};
pub use signature::{CompactSignature, IdentitySignature};
