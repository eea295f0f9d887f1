//! A running operator as seen from outside.

use std::{collections::BTreeMap, time::Duration};

use federation_block_signing::{Alarm, Duty, Event, Part, Phase};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};
use federation_signer::GuardInUse;
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{AssetStatus, OperatorError, ReissuanceDifferences, Standstill};

/// How long a stopping operator is waited for: its tasks, its messenger, its store.
const STOP: Duration = Duration::from_secs(15);

/// How long what was ended is waited for.
const END: Duration = Duration::from_secs(3);

/// How often a guard that is being closed is looked at.
const PAUSE: Duration = Duration::from_millis(2);

/// How the own node is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NodeState {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not, and why.
    Down(String),
    /// It answers, and is not where the chain is: the operator waits for it, and why.
    Waiting(String),
}

/// What is known of another operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatus {
    /// When it was last heard.
    pub heard: UnixTime,
    /// The height that its last message was about.
    pub height: BlockHeight,
    /// The round that its last message was about.
    pub round: Round,
    /// How long after the own round began its prevote came, the last time it came in that round.
    pub prevoted_after: Option<Duration>,
}

/// What was dropped or refused, and how often. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Messages that were verified and handed to the machine.
    pub accepted: u64,
    /// Frames that are no envelope, or whose inside is no message.
    pub undecodable: u64,
    /// Envelopes of a kind that this version does not know.
    pub unknown_kind: u64,
    /// Envelopes of another federation.
    pub foreign_federation: u64,
    /// Envelopes of a sender that the roster does not have.
    pub unknown_sender: u64,
    /// Envelopes of a height that is far from the own.
    pub far_height: u64,
    /// Frames above the limit of their kind.
    pub too_large: u64,
    /// Envelopes, votes or block signatures whose signature is not the sender's.
    pub bad_signature: u64,
    /// Bodies that are no block of this chain, or that propose other parameters for it.
    pub bad_body: u64,
    /// Messages about reissuances, where none are made or too many come at once.
    pub unwanted: u64,
    /// Pieces of evidence.
    pub evidence: u64,
}

/// A running operator at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperatorStatus {
    /// The height that it works on.
    pub height: BlockHeight,
    /// The round.
    pub round: Round,
    /// Who leads the round.
    pub leader: OperatorId,
    /// What it does.
    pub phase: Phase,
    /// Whether it only watches.
    pub observing: bool,
    /// The node's best block, once known.
    pub tip: Option<(BlockHeight, BlockHash)>,
    /// When that block was made, by its header.
    pub tip_time: Option<UnixTime>,
    /// Whose signatures that block has; nobody's, where others than this federation have signed it.
    pub tip_signers: Vec<OperatorId>,
    /// How and why the chain stands still, if it does.
    pub standstill: Option<Standstill>,
    /// How the node is.
    pub node: NodeState,
    /// The other operators that were heard.
    pub peers: BTreeMap<OperatorId, PeerStatus>,
    /// What was dropped or refused.
    pub counters: Counters,
    /// The last alarm.
    pub last_alarm: Option<Alarm>,
    /// What is wrong with this operator now, until it is mended.
    pub troubles: BTreeMap<Concern, Trouble>,
}

/// What may be wrong with an operator itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Concern {
    /// It is asked for its share, and fails each time.
    Duty(Duty),
    /// A part of it answers late or not at all.
    Part(Part),
}

/// That it is mended.
impl core::fmt::Display for Concern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Duty(duty) => f.write_str(duty.done_again()),
            Self::Part(part) => write!(f, "the {part} answers in time again"),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// Since when, by the operator's clock.
    pub since: UnixTime,
    /// For how many blocks that are on the chain, where blocks count.
    pub blocks: Option<u32>,
    /// What it is, with the last reason.
    pub text: String,
}

/// Something that happened to a running operator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperatorEvent {
    /// Something happened in the protocol.
    Protocol(Event),
    /// The node's best block changed.
    Tip {
        /// Its height.
        height: BlockHeight,
        /// Its hash.
        hash: BlockHash,
    },
    /// The node stopped or began to answer.
    Node(NodeState),
    /// The chain stands still: said at first, and again with growing pauses while it lasts.
    StandsStill(Standstill),
    /// A standstill that was said is over.
    MovesAgain {
        /// The height of the block that came.
        height: BlockHeight,
        /// How long the chain stood still.
        after: Duration,
    },
    /// How long a call to the node took.
    NodeCall {
        /// Which call.
        what: &'static str,
        /// The height it was about.
        height: BlockHeight,
        /// How long it took.
        took: Duration,
    },
    /// A payment that was owed at a point, or one instead of it, is in a block.
    Reissued {
        /// The asset.
        asset: elements::AssetId,
        /// The point's height.
        point: BlockHeight,
        /// What was made, in satoshi.
        amount: u64,
        /// The transaction.
        txid: elements::Txid,
    },
    /// What was wrong with the operator itself, and told in an alarm, is mended.
    Mended(Concern),
    /// Two messages that contradict each other were kept.
    Evidence {
        /// Who sent them.
        culprit: OperatorId,
        /// The height that they are about.
        height: BlockHeight,
    },
}

/// A running operator. Dropping the handle stops it.
#[derive(Debug)]
pub struct OperatorHandle {
    pub(crate) status: watch::Receiver<OperatorStatus>,
    pub(crate) reissuance: watch::Receiver<Vec<AssetStatus>>,
    pub(crate) reissuance_differences: watch::Receiver<ReissuanceDifferences>,
    pub(crate) events: broadcast::Sender<OperatorEvent>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: Option<JoinHandle<Result<(), OperatorError>>>,
    /// All its tasks.
    pub(crate) tasks: TaskTracker,
    pub(crate) guard: GuardInUse,
}

impl OperatorHandle {
    /// The status, as it is now and as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<OperatorStatus> {
        self.status.clone()
    }

    /// How it is with the assets that are reissued, as it is now and as it changes.
    #[must_use]
    pub fn reissuance(&self) -> watch::Receiver<Vec<AssetStatus>> {
        self.reissuance.clone()
    }

    /// Which operators reissue otherwise than this one, as it is now and as it changes.
    #[must_use]
    pub fn reissuance_differences(&self) -> watch::Receiver<ReissuanceDifferences> {
        self.reissuance_differences.clone()
    }

    /// What happens from now on. A reader that is too slow misses events, and is told how many.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<OperatorEvent> {
        self.events.subscribe()
    }

    /// Waits until the operator stops by itself.
    ///
    /// # Errors
    /// Why it stopped.
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

    /// Stops the operator and waits until it has let go of node, messenger and store, for some seconds
    /// at the most: a key that blocks its thread, or a disk that hangs, is left behind.
    ///
    /// # Errors
    /// If it had stopped before by itself: why. If it does not stop in time.
    pub async fn shutdown(mut self) -> Result<(), OperatorError> {
        self.stop.cancel();
        let Ok(result) = tokio::time::timeout(STOP, self.wait()).await else {
            self.end().await;
            let why = format!("the engine did not stop within {STOP:?}");
            return Err(OperatorError::Task(why));
        };
        self.end().await;
        result
    }

    /// Stops the operator as a crash would: between any two steps.
    pub async fn kill(mut self) {
        self.end().await;
    }

    /// Ends all tasks, and waits for those that end.
    async fn end(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.tasks.close();
        // What blocks its thread is left behind.
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
