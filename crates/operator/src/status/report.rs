//! The status as JSON. Hashes and ids are hexadecimal as nodes display them, times are in
//! milliseconds since 1970.

use federation_block_signing::Phase;
use federation_chain::UnixTime;
use federation_roster::{Federation, OperatorId};
use federation_signer::{GuardStanding, GuardState};
use serde::{Deserialize, Serialize};

use crate::{Counters, NodeState, OperatorStatus};

/// How many of the last signed blocks a report of a guard has.
const SIGNED_SHOWN: usize = 8;

/// A running operator at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct StatusReport {
    /// The version of this form.
    pub format: u32,
    /// When it was written.
    pub written: u64,
    /// The process that wrote it.
    pub process: u32,
    /// The federation's id.
    pub federation: String,
    /// The operator's name.
    pub operator: String,
    /// The height that it works on.
    pub height: u32,
    /// The round.
    pub round: u32,
    /// Who leads the round.
    pub leader: String,
    /// What it does.
    pub phase: String,
    /// Whether it only watches.
    pub observing: bool,
    /// The node's best block, once known.
    pub tip: Option<BlockReport>,
    /// `up`, `unknown`, or why it does not answer.
    pub node: String,
    /// The other operators.
    pub peers: Vec<PeerReport>,
    /// The last alarms, newest last.
    pub alarms: Vec<AlarmReport>,
    /// What is wrong with this operator now. Not written by earlier versions.
    #[serde(default)]
    pub troubles: Vec<TroubleReport>,
    /// How many pieces of evidence the store has.
    pub evidence: usize,
    /// What the block key may sign.
    pub guard: Option<GuardReport>,
    /// What was dropped or refused since the daemon started.
    pub counters: CountersReport,
}

/// A block on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct BlockReport {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: String,
    /// When the node was first seen with it.
    pub seen: u64,
}

/// Another operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct PeerReport {
    /// Its name.
    pub operator: String,
    /// When it was last heard, if it was since the daemon started.
    pub heard: Option<u64>,
    /// The height that it last spoke of.
    pub height: Option<u32>,
    /// The round that it last spoke of.
    pub round: Option<u32>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct AlarmReport {
    /// When it was raised the last time.
    pub at: u64,
    /// What it says.
    pub text: String,
}

/// Something that is wrong with the operator and was not mended yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct TroubleReport {
    /// Since when.
    pub since: u64,
    /// For how many blocks, where blocks count.
    pub blocks: Option<u32>,
    /// What it is.
    pub text: String,
}

/// What a block key may sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardReport {
    /// `active`, `moved away` or `unproven`.
    pub standing: String,
    /// The highest final height, at or below which nothing is signed.
    #[serde(rename = "final")]
    pub highest_final: Option<u32>,
    /// The last blocks that were signed, lowest height first.
    pub signed: Vec<SignedReport>,
}

/// A signed block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct SignedReport {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: String,
}

/// What was dropped or refused, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[expect(
    missing_docs,
    reason = "the fields of `Counters`, which documents them"
)]
pub struct CountersReport {
    pub accepted: u64,
    pub undecodable: u64,
    pub foreign_federation: u64,
    pub unknown_sender: u64,
    pub far_height: u64,
    pub too_large: u64,
    pub bad_signature: u64,
    pub bad_body: u64,
    // Not written by earlier versions.
    #[serde(default)]
    pub unknown_kind: u64,
    #[serde(default)]
    pub unwanted: u64,
    #[serde(default)]
    pub evidence: u64,
}

impl From<Counters> for CountersReport {
    fn from(counters: Counters) -> Self {
        Self {
            accepted: counters.accepted,
            undecodable: counters.undecodable,
            foreign_federation: counters.foreign_federation,
            unknown_sender: counters.unknown_sender,
            far_height: counters.far_height,
            too_large: counters.too_large,
            bad_signature: counters.bad_signature,
            bad_body: counters.bad_body,
            unknown_kind: counters.unknown_kind,
            unwanted: counters.unwanted,
            evidence: counters.evidence,
        }
    }
}

impl GuardReport {
    /// A guard of this standing that has signed this.
    #[must_use]
    pub fn new(standing: GuardStanding, state: &GuardState) -> Self {
        let skipped = state.records().count().saturating_sub(SIGNED_SHOWN);
        Self {
            standing: standing.as_str().to_owned(),
            highest_final: state.highest_final().map(|height| height.to_u32()),
            signed: state
                .records()
                .skip(skipped)
                .map(|(height, hash)| SignedReport {
                    height: height.to_u32(),
                    hash: hash.to_string(),
                })
                .collect(),
        }
    }
}

impl StatusReport {
    /// The version of this form.
    pub const FORMAT: u32 = 1;

    /// The part of a report that the operator's status has.
    pub(super) fn new(
        federation: &Federation,
        me: OperatorId,
        status: &OperatorStatus,
        now: UnixTime,
    ) -> Self {
        let others = federation.ids().filter(|id| *id != me);
        Self {
            format: Self::FORMAT,
            written: now.as_millis(),
            process: std::process::id(),
            federation: federation.id().to_string(),
            operator: federation.name(me),
            height: status.height.to_u32(),
            round: status.round.to_u32(),
            leader: federation.name(status.leader),
            phase: phase(status.phase).to_owned(),
            observing: status.observing,
            tip: None,
            node: match &status.node {
                NodeState::Unknown => "unknown".to_owned(),
                NodeState::Up => "up".to_owned(),
                NodeState::Down(reason) => format!("down: {reason}"),
            },
            peers: others
                .map(|id| {
                    let known = status.peers.get(&id);
                    PeerReport {
                        operator: federation.name(id),
                        heard: known.map(|peer| peer.heard.as_millis()),
                        height: known.map(|peer| peer.height.to_u32()),
                        round: known.map(|peer| peer.round.to_u32()),
                    }
                })
                .collect(),
            alarms: Vec::new(),
            troubles: status
                .troubles
                .values()
                .map(|trouble| TroubleReport {
                    since: trouble.since.as_millis(),
                    blocks: trouble.blocks,
                    text: trouble.text.clone(),
                })
                .collect(),
            evidence: 0,
            guard: None,
            counters: status.counters.into(),
        }
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::NoTip => "waits for its node",
        Phase::Waiting => "waits for the next height",
        Phase::Propose => "waits for a proposal",
        Phase::Prevote => "prevoted",
        Phase::Precommit => "precommitted",
        Phase::Decided => "decided",
        Phase::Halted => "halted",
    }
}
