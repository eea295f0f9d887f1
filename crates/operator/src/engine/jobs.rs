//! Requests of the machine to node, policy and signer, each in a task of its own.

mod template;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use federation_block_signing::{
    Alarm, Candidate, CompactSignature, Duty, Input, Part, SubmitOutcome, Verdict,
};
use federation_chain::{Block, BlockHeight};
use federation_ocean_rpc::{Node, RpcError, SubmitOutcome as NodeOutcome};
use federation_roster::{Federation, OperatorId};
use federation_signer::{GuardError, GuardStoreError, GuardedSigner, Signer};
use secp256k1::ecdsa;
use tokio::sync::{mpsc, watch};

use super::duties::{DutyOutcome, Fault};
use crate::{BlockPolicy, OperatorError, calls::Calls, log::Log};

/// The parts that jobs use.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) federation: Arc<Federation>,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) signer: Arc<GuardedSigner<Box<dyn Signer>>>,
    pub(crate) policy: Arc<dyn BlockPolicy>,
    pub(crate) log: Arc<Log>,
    /// Takes errors that end the operator.
    pub(crate) failed: mpsc::UnboundedSender<OperatorError>,
    pub(crate) alarms: mpsc::Sender<Alarm>,
    pub(crate) calls: Arc<Calls>,
    /// The height the machine works on.
    pub(crate) height: Arc<AtomicU32>,
}

/// The result of a job.
pub(super) struct JobResult {
    /// The result for the machine.
    pub(super) input: Input,
    /// Whether this operator fulfilled a duty.
    pub(super) duty: Option<(Duty, BlockHeight, DutyOutcome)>,
}

impl JobResult {
    fn new(input: Input, duty: Duty, height: BlockHeight, outcome: Option<DutyOutcome>) -> Self {
        Self {
            input,
            duty: outcome.map(|outcome| (duty, height, outcome)),
        }
    }
}

/// The verdict of node and policy on a block.
enum Opinion {
    Valid,
    Invalid(String),
    /// There was no verdict.
    Failed(Fault),
    /// The node's tip has changed meanwhile.
    Outdated,
}

impl From<RpcError> for Fault {
    fn from(error: RpcError) -> Self {
        Self {
            refused: !error.is_transient(),
            reason: error.to_string(),
        }
    }
}

/// Whether the node's error is a verdict on the block that it was given. Any other error is a fault
/// of the node itself, which is asked again.
const fn is_refusal(code: i32) -> bool {
    matches!(
        code,
        RpcError::VERIFY_ERROR | RpcError::DESERIALIZATION_ERROR
    )
}

impl Jobs {
    pub(super) async fn test(&self, candidate: Candidate) -> JobResult {
        let opinion = match self.check_parameters(&candidate).await {
            Opinion::Valid => self.ask_node(&candidate).await,
            other => other,
        };
        let (height, hash) = (candidate.height, candidate.hash);
        let (verdict, outcome) = match opinion {
            Opinion::Valid => (Verdict::Valid, Some(DutyOutcome::Done)),
            Opinion::Invalid(reason) => {
                // A node refuses every block that does not build on its tip.
                let tip = self.node.best_block_hash().await;
                let builds_on_tip = tip == Ok(candidate.previous);
                let outcome =
                    builds_on_tip.then(|| DutyOutcome::RefusedBlock(hash, reason.clone()));
                (Verdict::Invalid(reason), outcome)
            }
            Opinion::Failed(fault) => (Verdict::Unavailable, Some(DutyOutcome::Failed(fault))),
            Opinion::Outdated => (Verdict::Unavailable, None),
        };
        let input = Input::Tested { candidate, verdict };
        JobResult::new(input, Duty::Test, height, outcome)
    }

    async fn ask_node(&self, candidate: &Candidate) -> Opinion {
        match self.node.test_proposed_block(&candidate.bytes).await {
            Ok(()) => self.ask_policy(candidate).await,
            Err(RpcError::Node { code, message }) if is_refusal(code) => {
                Opinion::Invalid(format!("{message} ({code})"))
            }
            Err(RpcError::Node {
                code: RpcError::VERIFY_ALREADY_IN_CHAIN,
                ..
            }) => Opinion::Outdated,
            Err(error) => {
                self.log
                    .problem("node does not test a block", &error.to_string());
                let Fault { reason, refused } = error.into();
                Opinion::Failed(Fault {
                    reason: format!("the node does not test blocks: {reason}"),
                    refused,
                })
            }
        }
    }

    async fn ask_policy(&self, candidate: &Candidate) -> Opinion {
        let dialect = self.federation.rules().dialect();
        let block = match Block::decode(dialect, candidate.bytes.clone()) {
            Ok(block) => block,
            Err(error) => return Opinion::Invalid(error.to_string()),
        };
        let policy = self.policy.clone();
        let call = async move { policy.check(&block).await };
        match self.calls.run(Part::Policy, call).await {
            Ok(Ok(())) => Opinion::Valid,
            Ok(Err(reason)) => Opinion::Invalid(reason),
            Err(error) => {
                self.log
                    .problem("no answer from the block policy", &error.to_string());
                Opinion::Failed(Fault::passing(error))
            }
        }
    }

    pub(super) async fn sign(&self, candidate: Candidate) -> JobResult {
        let (height, hash) = (candidate.height, candidate.hash);
        let (input, outcome) = match self.try_sign(candidate).await {
            Ok(signature) => {
                let signature = CompactSignature::from_bytes(signature.serialize_compact());
                let input = Input::Signed {
                    height,
                    hash,
                    signature,
                };
                (input, Some(DutyOutcome::Done))
            }
            Err((fault, is_late)) => {
                let outcome = (!is_late).then(|| DutyOutcome::Failed(fault.clone()));
                if fault.refused {
                    let reason = fault.reason;
                    let input = Input::SignRefused {
                        height,
                        hash,
                        reason,
                    };
                    (input, outcome)
                } else {
                    self.log.problem("block not signed yet", &fault.reason);
                    (Input::SignUnavailable { height, hash }, outcome)
                }
            }
        };
        JobResult::new(input, Duty::Sign, height, outcome)
    }

    /// Signs the block. An error comes with a flag that says whether the block is on the chain
    /// already, because M other operators were faster.
    async fn try_sign(&self, candidate: Candidate) -> Result<ecdsa::Signature, (Fault, bool)> {
        let (height, hash) = (candidate.height, candidate.hash);
        // The ingress has checked this for every block that came in, but not for one that an older
        // release left in the store.
        self.check_before_signing(&candidate)
            .map_err(|reason| (Fault::refusal(reason), false))?;
        let signer = self.signer.clone();
        let call = async move { signer.sign_full_block(height, hash, &candidate.bytes).await };
        let answer = self.calls.run(Part::BlockKey, call).await;
        let error = match answer {
            Ok(Ok(signature)) => return Ok(signature),
            Ok(Err(error)) => error,
            Err(error) => return Err((Fault::passing(error), false)),
        };
        let is_over = self.height.load(Ordering::Relaxed) > height.to_u32();
        let is_late = is_over && matches!(error, GuardError::BelowFinal { .. });
        let fault = Fault {
            reason: with_causes(&error),
            refused: !error.is_transient(),
        };
        self.end_without_guard(error);
        Err((fault, is_late))
    }

    /// Tells the guard which heights are final, one call at a time; of the heights that become
    /// final during a call only the last is passed on.
    pub(crate) async fn close_heights(&self, mut heights: watch::Receiver<Option<BlockHeight>>) {
        while heights.changed().await.is_ok() {
            let height = *heights.borrow_and_update();
            if let Some(height) = height
                && let Err(error) = self.signer.raise_final(height).await
            {
                self.end_without_guard(error);
            }
        }
        // The engine is gone and aborts this task.
        core::future::pending().await
    }

    /// Ends the operator if its guard's store failed or its key will sign nothing more. Every later
    /// call would fail as well, and an operator that votes and never signs is worse than an absent
    /// one: its votes decide blocks that then lack its signature.
    fn end_without_guard(&self, error: GuardError) {
        let store = matches!(error, GuardError::Store(GuardStoreError::Backend(_)));
        if store || error.is_final() {
            // Gone only when the engine is.
            let _ = self.failed.send(error.into());
        }
    }

    fn check_before_signing(&self, candidate: &Candidate) -> Result<(), String> {
        let rules = self.federation.rules();
        let block = Block::decode(rules.dialect(), candidate.bytes.clone())
            .map_err(|error| error.to_string())?;
        rules
            .check_challenge(block.header())
            .and_then(|()| rules.check_proposed(block.header()))
            .map_err(|error| error.to_string())
    }

    pub(super) async fn submit(
        &self,
        candidate: Candidate,
        signatures: BTreeMap<OperatorId, CompactSignature>,
    ) -> JobResult {
        let (height, hash) = (candidate.height, candidate.hash);
        let (outcome, duty) = match self.assemble(&candidate, &signatures) {
            Ok(block) => self.hand_over(&block).await,
            Err(reason) => rejected(reason),
        };
        let input = Input::Submitted {
            height,
            hash,
            outcome,
        };
        JobResult::new(input, Duty::Submit, height, duty)
    }

    async fn hand_over(&self, block: &Block) -> (SubmitOutcome, Option<DutyOutcome>) {
        match self.node.submit_block(block.as_bytes()).await {
            Ok(NodeOutcome::Accepted | NodeOutcome::Duplicate) => {
                (SubmitOutcome::Accepted, Some(DutyOutcome::Done))
            }
            // The node has stored the block, but has not checked it yet or put it on the best
            // chain.
            Ok(NodeOutcome::Rejected(reason)) if reason.ends_with("inconclusive") => {
                self.log
                    .problem("node has not decided on the block", &reason);
                (SubmitOutcome::Unavailable, None)
            }
            Ok(NodeOutcome::Rejected(reason)) => rejected(reason),
            Ok(other) => rejected(format!("unexpected answer of the node: {other:?}")),
            Err(RpcError::Node { code, message }) if is_refusal(code) => {
                rejected(format!("{message} ({code})"))
            }
            Err(error) => {
                self.log
                    .problem("node does not accept the block", &error.to_string());
                let duty = DutyOutcome::Failed(error.into());
                (SubmitOutcome::Unavailable, Some(duty))
            }
        }
    }

    fn assemble(
        &self,
        candidate: &Candidate,
        signatures: &BTreeMap<OperatorId, CompactSignature>,
    ) -> Result<Block, String> {
        let rules = self.federation.rules();
        let block = Block::decode(rules.dialect(), candidate.bytes.clone())
            .map_err(|error| error.to_string())?;
        let by_position = signatures
            .iter()
            .filter_map(|(id, signature)| {
                let position = self.federation.script_position(*id)?;
                let parsed = ecdsa::Signature::from_compact(&signature.to_bytes()).ok()?;
                Some((position, parsed))
            })
            .collect();
        rules
            .assemble(&block, &by_position)
            .map_err(|error| error.to_string())
    }
}

fn rejected(reason: String) -> (SubmitOutcome, Option<DutyOutcome>) {
    let duty = DutyOutcome::Failed(Fault::refusal(reason.clone()));
    (SubmitOutcome::Rejected(reason), Some(duty))
}

/// Returns an error and its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
