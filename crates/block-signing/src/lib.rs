//! Agree first, sign after: the block-signing protocol of a federation, as a state machine
//! without I/O.

mod ballots;
mod bodies;
mod candidate;
mod config;
mod event;
mod handle;
mod input;
mod machine;
mod message;
#[cfg(test)]
mod mutation;
mod outbox;
mod output;
mod record;
mod schedule;
mod signature;
pub mod simulation;
mod state;
mod votes;
mod work;

pub use candidate::Candidate;
pub use config::{Config, ConfigError, Limits, MAX_OPERATORS, Timeouts};
pub use event::{Alarm, Event, HeightReport, Refusal, RoundOutcome, RoundReport};
pub use input::{Input, SubmitOutcome, Tip, Verdict};
pub use machine::{Machine, Phase, Status};
pub use message::{
    BlockSignature, Body, BodyRequest, Certificate, DecodeMessageError, MAX_BODY, MAX_SMALL,
    Message, MessageParts, Proposal, SignedMessage, Vote, VoteKind,
};
pub use output::{Evidence, Output};
pub use record::{DecodeRecordError, Record, Standing};
pub use signature::{CompactSignature, IdentitySignature};
