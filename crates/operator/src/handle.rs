//! A running operator, seen from outside.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use federation_block_signing::{Alarm, AlarmCode, Duty, Event, Part, Phase};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};
use federation_signer::GuardInUse;
use serde::{Serialize, Serializer};
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{AssetStatus, OperatorError, ReissuanceDifferences, Standstill};

/// How long to wait for an operator that stops: for its tasks, its messenger and its store.
const STOP: Duration = Duration::from_secs(15);

/// How long to wait for tasks that were aborted.
const END: Duration = Duration::from_secs(3);

/// The time between two checks whether the guard is still in use.
const PAUSE: Duration = Duration::from_millis(2);

/// The state of this operator's node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeState {
    /// It has not been asked yet.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not answer, for this reason.
    Down(String),
    /// It answers but is behind the chain; the operator waits for it, for this reason.
    Waiting(String),
}

/// What is known about another operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeerStatus {
    /// When it was last heard.
    pub heard: UnixTime,
    /// The height of its latest messages.
    pub height: BlockHeight,
    /// The round of its latest messages.
    pub round: Round,
    /// How long after the start of this operator's round its prevote arrived, the last time it
    /// arrived in the same round.
    pub prevoted_after: Option<Duration>,
}

/// Counters of what was received, dropped or refused since the start. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Messages that were verified and handed to the machine.
    pub accepted: u64,
    /// Frames that are malformed as envelopes or as messages.
    pub undecodable: u64,
    /// Envelopes of a kind that this version does not know.
    pub unknown_kind: u64,
    /// Envelopes of another federation.
    pub foreign_federation: u64,
    /// Envelopes of a sender that is not in the roster.
    pub unknown_sender: u64,
    /// Envelopes of a height that is far from this operator's.
    pub far_height: u64,
    /// Frames above the size limit of their kind.
    pub too_large: u64,
    /// Envelopes, votes or block signatures whose signature is not the sender's.
    pub bad_signature: u64,
    /// Bodies that are not a block of this chain, or that propose other parameters for it.
    pub bad_body: u64,
    /// Reissuance messages that arrived although this operator does not reissue, or too many at
    /// once.
    pub unwanted: u64,
    /// Pieces of evidence that were found.
    pub evidence: u64,
}

/// The status of a running operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OperatorStatus {
    /// The height the operator works on.
    pub height: BlockHeight,
    /// The round it is in.
    pub round: Round,
    /// The leader of the round.
    pub leader: OperatorId,
    /// The phase of the round.
    pub phase: Phase,
    /// Whether it only observes.
    pub observing: bool,
    /// The node's best block, once known.
    pub tip: Option<(BlockHeight, BlockHash)>,
    /// The time in that block's header.
    pub tip_time: Option<UnixTime>,
    /// The operators whose signatures that block has; none if it was not signed by this federation.
    pub tip_signers: Vec<OperatorId>,
    /// The current standstill, if the chain stands still.
    pub standstill: Option<Standstill>,
    /// The state of its node.
    pub node: NodeState,
    /// The other operators, as far as they were heard.
    pub peers: BTreeMap<OperatorId, PeerStatus>,
    /// What was received, dropped or refused.
    pub counters: Counters,
    /// The latest alarm.
    pub last_alarm: Option<Alarm>,
    /// What is wrong with this operator at the moment.
    pub troubles: BTreeMap<Concern, Trouble>,
}

/// What can be wrong with an operator itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Concern {
    /// It keeps failing a duty.
    Duty(Duty),
    /// One of its parts answers late or not at all.
    Part(Part),
}

/// Serialises as text, such as `duty.sign` or `part.node`, so that it can be the key of a map.
impl Serialize for Concern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Duty(Duty::Propose) => "duty.propose",
            Self::Duty(Duty::Test) => "duty.test",
            Self::Duty(Duty::Vote) => "duty.vote",
            Self::Duty(Duty::Sign) => "duty.sign",
            Self::Duty(Duty::Submit) => "duty.submit",
            Self::Duty(_) => "duty",
            Self::Part(Part::IdentityKey) => "part.identity_key",
            Self::Part(Part::BlockKey) => "part.block_key",
            Self::Part(Part::ReissuanceKey) => "part.reissuance_key",
            Self::Part(Part::Policy) => "part.policy",
            Self::Part(Part::Node) => "part.node",
            Self::Part(Part::Messenger) => "part.messenger",
            Self::Part(_) => "part",
        })
    }
}

/// Displays the message for the end of the trouble.
impl core::fmt::Display for Concern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Duty(duty) => f.write_str(duty.done_again()),
            Self::Part(part) => write!(f, "the {part} answers in time again"),
        }
    }
}

/// Something that is wrong with an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Trouble {
    /// When it began, by the operator's clock.
    pub since: UnixTime,
    /// The code of the alarm that reported it.
    pub code: AlarmCode,
    /// The number of blocks affected so far, if blocks are counted.
    pub blocks: Option<u32>,
    /// A description with the latest reason.
    pub text: String,
}

/// An event of a running operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OperatorEvent {
    /// An event of the protocol.
    Protocol(Event),
    /// The node's best block changed.
    Tip {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
    },
    /// The node's state changed.
    Node(NodeState),
    /// The chain stands still. Sent at first, and again with growing pauses while the standstill
    /// lasts.
    StandsStill(Standstill),
    /// A standstill that was reported is over.
    MovesAgain {
        /// The height of the block that came.
        height: BlockHeight,
        /// How long the chain stood still.
        after: Duration,
    },
    /// A call of node or signer has returned.
    NodeCall {
        /// The call.
        what: &'static str,
        /// The height that it was about.
        height: BlockHeight,
        /// How long it took.
        took: Duration,
    },
    /// The payment for a point of the schedule is in a block, in the scheduled amount or another.
    Reissued {
        /// The asset.
        asset: elements::AssetId,
        /// The point's height.
        point: BlockHeight,
        /// The amount that was made, in satoshi.
        amount: u64,
        /// The transaction.
        txid: elements::Txid,
    },
    /// Something that was wrong with the operator itself, and was reported in an alarm, is over.
    Recovered(Concern),
    /// Two contradicting messages of one operator were stored as evidence.
    Evidence {
        /// The operator that sent them.
        culprit: OperatorId,
        /// The height that they are about.
        height: BlockHeight,
    },
}

/// A handle to a running operator. Dropping it stops the operator.
#[derive(Debug)]
pub struct OperatorHandle {
    pub(crate) status: watch::Receiver<OperatorStatus>,
    pub(crate) reissuance: watch::Receiver<Vec<AssetStatus>>,
    pub(crate) reissuance_differences: watch::Receiver<ReissuanceDifferences>,
    pub(crate) events: broadcast::Sender<OperatorEvent>,
    /// Subscribed before the operator began; for the first caller who wants events.
    pub(crate) from_start: Mutex<Option<broadcast::Receiver<OperatorEvent>>>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: Option<JoinHandle<Result<(), OperatorError>>>,
    /// All its tasks.
    pub(crate) tasks: TaskTracker,
    pub(crate) guard: GuardInUse,
}

impl OperatorHandle {
    /// Returns the current status and its changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<OperatorStatus> {
        self.status.clone()
    }

    /// Returns the current status of the reissued assets and its changes.
    #[must_use]
    pub fn reissuance(&self) -> watch::Receiver<Vec<AssetStatus>> {
        self.reissuance.clone()
    }

    /// Returns the current differences from other operators' reissuances, and their changes.
    #[must_use]
    pub fn reissuance_differences(&self) -> watch::Receiver<ReissuanceDifferences> {
        self.reissuance_differences.clone()
    }

    /// Subscribes to the events. The first subscriber receives all since the operator's start, later ones
    /// those from now on. A subscriber that is too slow, or the first one if it comes late, misses the
    /// oldest events and learns how many.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<OperatorEvent> {
        let mut from_start = self
            .from_start
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        from_start.take().unwrap_or_else(|| self.events.subscribe())
    }

    /// Waits until the operator stops by itself.
    ///
    /// # Errors
    /// The error that stopped it.
    pub async fn wait(&mut self) -> Result<(), OperatorError> {
        match self.task.as_mut() {
            Some(task) => {
                let result = task.await;
                self.task = None;
                result.unwrap_or_else(|error| Err(OperatorError::Task(error.to_string())))
            }
            None => Ok(()),
        }
    }

    /// Stops the operator and waits until it has released node, messenger and store, but only for
    /// some seconds: a key that blocks its thread, or a disk that hangs, is abandoned.
    ///
    /// # Errors
    /// If it had stopped by itself before, the error that stopped it; or if it does not stop in
    /// time.
    pub async fn shutdown(mut self) -> Result<(), OperatorError> {
        self.stop.cancel();
        let Ok(result) = tokio::time::timeout(STOP, self.wait()).await else {
            self.end().await;
            let why = format!("the engine did not stop within {} s", STOP.as_secs());
            return Err(OperatorError::Task(why));
        };
        self.end().await;
        result
    }

    /// Stops the operator abruptly, as a crash would.
    pub async fn kill(mut self) {
        self.end().await;
    }

    /// Aborts all tasks and waits for those that end.
    async fn end(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.tasks.close();
        // Tasks that block their threads are abandoned.
        let ended = async {
            self.tasks.wait().await;
            while !self.guard.is_over() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(END, ended).await;
    }
}

impl Drop for OperatorHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
