//! The status as JSON. Hashes and ids are hexadecimal as nodes display them; times are in
//! milliseconds since 1970.

use federation_block_signing::Phase;
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{Federation, OperatorId};
use federation_signer::{GuardStanding, GuardState};
use serde::{Deserialize, Serialize};

use crate::{AssetStatus, Counters, NodeState, OperatorStatus, ReissuanceDifferences, Standstill};

/// How many of the last signed blocks a guard's report contains.
const SIGNED_SHOWN: usize = 8;

/// The status of a running operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct StatusReport {
    /// The version of this format.
    pub format: u32,
    /// When the report was written.
    pub written: u64,
    /// When the operator started; 0 if written by an earlier version.
    #[serde(default)]
    pub started: u64,
    /// The id of the process that wrote it.
    pub process: u32,
    /// The federation's id.
    pub federation: String,
    /// The operator's name.
    pub operator: String,
    /// The height the operator works on.
    pub height: u32,
    /// The round it is in.
    pub round: u32,
    /// The leader of the round.
    pub leader: String,
    /// The phase of the round, in words.
    pub phase: String,
    /// Whether it only observes.
    pub observing: bool,
    /// The node's best block, once known.
    pub tip: Option<BlockReport>,
    /// The state of the node: `up`, `unknown`, `down: ` and why it does not answer, or `waits: `
    /// and what the operator waits for.
    pub node: String,
    /// The current standstill, if the chain stands still.
    #[serde(default)]
    pub standstill: Option<StandstillReport>,
    /// The state of the messenger, if it reports any.
    #[serde(default)]
    pub messenger: Option<MessengerReport>,
    /// The assets that are reissued.
    #[serde(default)]
    pub reissuance: Vec<AssetReport>,
    /// Operators whose reissuances differ from this operator's.
    #[serde(default)]
    pub differences: Vec<DifferenceReport>,
    /// The other operators.
    pub peers: Vec<PeerReport>,
    /// The latest alarms, newest last.
    pub alarms: Vec<AlarmReport>,
    /// What is wrong with this operator at the moment. Not written by earlier versions.
    #[serde(default)]
    pub troubles: Vec<TroubleReport>,
    /// The number of pieces of evidence in the store.
    pub evidence: usize,
    /// The state of the block key's guard.
    pub guard: Option<GuardReport>,
    /// What was received, dropped or refused since the daemon started.
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
    /// When the daemon first saw it at the node.
    pub seen: u64,
    /// The time in its header. Not written by earlier versions.
    #[serde(default)]
    pub time: Option<u64>,
    /// The operators whose signatures it has.
    #[serde(default)]
    pub signers: Vec<String>,
}

/// A chain that stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct StandstillReport {
    /// The time of the last block, or of the operator's start if there is no block.
    pub since: u64,
    /// The height that lacks its block, once known.
    pub height: Option<u32>,
    /// The round that this operator is in.
    pub round: u32,
    /// How many operators must sign.
    pub needed: usize,
    /// The operators that take part, including this one unless it observes.
    pub heard: Vec<String>,
    /// The operators that are heard at lower heights.
    pub behind: Vec<String>,
    /// The operators that are not heard.
    pub absent: Vec<String>,
    /// The operators that are connected but silent.
    pub silent: Vec<String>,
    /// `the chain stands still`, or `this operator's node has no new block`.
    pub what: String,
    /// Why, and who is missing, in words.
    pub reason: String,
}

/// The state of the messenger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct MessengerReport {
    /// `zmq` or `kafka`.
    pub kind: String,
    /// Whether messages can pass: a link is up, or a broker is connected.
    pub connected: bool,
    /// How many links, or brokers, are up.
    pub up: usize,
    /// How many links or brokers there are.
    pub of: usize,
    /// What is wrong with the messenger.
    pub faults: Vec<String>,
}

/// The state of an asset that is reissued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct AssetReport {
    /// The asset's id.
    pub asset: String,
    /// The amount in circulation, in satoshi.
    pub circulation: u64,
    /// The height of the point whose payment is due, if any.
    pub due: Option<u32>,
    /// Why nothing can be reissued, if so.
    pub problem: Option<String>,
}

/// An operator whose reissuance differs from this operator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct DifferenceReport {
    /// The operator's name.
    pub operator: String,
    /// The asset's id.
    pub asset: String,
    /// The difference.
    pub how: String,
}

/// Another operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct PeerReport {
    /// Its name.
    pub operator: String,
    /// When it was last heard; none if it was not since the daemon started.
    pub heard: Option<u64>,
    /// The height of its latest messages.
    pub height: Option<u32>,
    /// The round of its latest messages.
    pub round: Option<u32>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct AlarmReport {
    /// When it was last raised.
    pub at: u64,
    /// The alarm in words.
    pub text: String,
}

/// Something that is wrong with the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct TroubleReport {
    /// When it began.
    pub since: u64,
    /// The number of blocks affected so far, if blocks are counted.
    pub blocks: Option<u32>,
    /// A description.
    pub text: String,
}

/// The state of a block key's guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardReport {
    /// `active`, `moved away` or `unproven`.
    pub standing: String,
    /// The highest final height; nothing is signed at or below it.
    #[serde(rename = "final")]
    pub highest_final: Option<u32>,
    /// The latest signed blocks, lowest height first.
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

/// Counters of what was received, dropped or refused.
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
        // Destructured, so that no counter is forgotten.
        let Counters {
            accepted,
            undecodable,
            unknown_kind,
            foreign_federation,
            unknown_sender,
            far_height,
            too_large,
            bad_signature,
            bad_body,
            unwanted,
            evidence,
        } = counters;
        Self {
            accepted,
            undecodable,
            foreign_federation,
            unknown_sender,
            far_height,
            too_large,
            bad_signature,
            bad_body,
            unknown_kind,
            unwanted,
            evidence,
        }
    }
}

impl GuardReport {
    /// Describes a guard with this standing and state.
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
    /// The version of this format.
    pub const FORMAT: u32 = 1;

    /// Fills in the part of a report that comes from the operator's status.
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
            started: 0,
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
                NodeState::Waiting(what) => format!("waits: {what}"),
            },
            standstill: status
                .standstill
                .as_ref()
                .map(|standstill| StandstillReport::new(standstill, federation)),
            messenger: None,
            reissuance: Vec::new(),
            differences: Vec::new(),
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

impl BlockReport {
    /// Describes the node's best block, first seen at this time.
    pub(super) fn new(
        (height, hash): (BlockHeight, BlockHash),
        status: &OperatorStatus,
        federation: &Federation,
        seen: UnixTime,
    ) -> Self {
        Self {
            height: height.to_u32(),
            hash: hash.to_string(),
            seen: seen.as_millis(),
            time: status.tip_time.map(UnixTime::as_millis),
            signers: names(federation, &status.tip_signers),
        }
    }
}

impl StandstillReport {
    fn new(standstill: &Standstill, federation: &Federation) -> Self {
        Self {
            since: standstill.since.as_millis(),
            height: standstill.height.map(|height| height.to_u32()),
            round: standstill.round.to_u32(),
            needed: standstill.needed,
            heard: names(federation, &standstill.heard),
            behind: names(federation, standstill.behind.keys()),
            absent: names(federation, &standstill.absent),
            silent: names(federation, &standstill.silent),
            what: standstill.what().to_owned(),
            reason: standstill.reason(federation),
        }
    }
}

impl AssetReport {
    pub(super) fn new(status: &AssetStatus) -> Self {
        Self {
            asset: status.asset.to_string(),
            circulation: status.circulation,
            due: status.due.map(|due| due.point.to_u32()),
            problem: status.problem.clone(),
        }
    }
}

impl DifferenceReport {
    pub(super) fn all(all: &ReissuanceDifferences, federation: &Federation) -> Vec<Self> {
        all.iter()
            .map(|((operator, asset), how)| Self {
                operator: federation.name(*operator),
                asset: asset.to_string(),
                how: how.clone(),
            })
            .collect()
    }
}

fn names<'a>(
    federation: &Federation,
    ids: impl IntoIterator<Item = &'a OperatorId>,
) -> Vec<String> {
    ids.into_iter().map(|id| federation.name(*id)).collect()
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
