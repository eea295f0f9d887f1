//! Every public type with its derives: one that goes missing breaks this.

use core::fmt::Debug;

use federation_block_signing::{
    Alarm, BlockSignature, Body, BodyRequest, Candidate, Certificate, CompactSignature, Config,
    ConfigError, DecodeMessageError, DecodeRecordError, Event, Evidence, HeightReport,
    IdentitySignature, Input, Limits, Machine, Message, MessageParts, Output, Phase, Proposal,
    Record, Refusal, RoundOutcome, RoundReport, SignatureSet, SignedMessage, Standing, Status,
    SubmitOutcome, Timeouts, Tip, Verdict, Vote, VoteKind,
};

fn data<T: Debug + Clone + PartialEq + Eq + Send + Sync + 'static>() {}
fn plain<T: Debug + Clone + Copy + PartialEq + Eq + Send + Sync + 'static>() {}
fn error<T: core::error::Error + Clone + PartialEq + Eq + Send + Sync + 'static>() {}
fn held<T: Debug + Clone + Send + Sync + 'static>() {}

#[test]
fn public_types_keep_their_derives() {
    plain::<BlockSignature>();
    plain::<BodyRequest>();
    plain::<CompactSignature>();
    plain::<IdentitySignature>();
    plain::<Limits>();
    plain::<Phase>();
    plain::<Proposal>();
    plain::<RoundOutcome>();
    plain::<Standing>();
    plain::<Status>();
    plain::<Timeouts>();
    plain::<Tip>();
    plain::<Vote>();
    plain::<VoteKind>();
    data::<Alarm>();
    data::<Body>();
    data::<Candidate>();
    data::<Certificate>();
    data::<Config>();
    data::<Event>();
    data::<Evidence>();
    data::<HeightReport>();
    data::<Input>();
    data::<Message>();
    data::<MessageParts>();
    data::<Output>();
    data::<Record>();
    data::<Refusal>();
    data::<RoundReport>();
    data::<SignatureSet>();
    data::<SignedMessage>();
    data::<SubmitOutcome>();
    data::<Verdict>();
    error::<ConfigError>();
    error::<DecodeMessageError>();
    error::<DecodeRecordError>();
    held::<Machine>();
}

#[cfg(feature = "simulation")]
#[test]
fn public_types_of_the_simulation_keep_their_derives() {
    use federation_block_signing::simulation::{
        Coverage, CoveragePoint, Failure, Frame, Scenario, Summary, Violation, World,
    };
    fn debug<T: Debug>() {}
    plain::<CoveragePoint>();
    plain::<Coverage>();
    plain::<Summary>();
    data::<Scenario>();
    error::<Violation>();
    error::<Failure>();
    held::<Frame>();
    debug::<World>();
}
