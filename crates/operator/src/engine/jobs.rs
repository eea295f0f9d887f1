//! What the machine asks of node, policy and signer: each in a task of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use federation_block_signing::{
    Alarm, Candidate, CompactSignature, Duty, Input, Part, SubmitOutcome, Verdict,
};
use federation_chain::{Block, BlockHeight, Dialect, ParamsRoot};
use federation_genesis::Sweep;
use federation_ocean_rpc::{Node, RpcError, SubmitOutcome as NodeOutcome};
use federation_roster::{Federation, OperatorId, Round};
use federation_signer::{GuardError, GuardStoreError, GuardedSigner, Signer};
use secp256k1::ecdsa;
use tokio::sync::{mpsc, watch};

use super::{
    account::{Fault, Outcome},
    blocks::candidate,
};
use crate::{
    BlockPolicy, OperatorError,
    calls::Calls,
    log::Log,
    policy::{SWEPT, has_transaction},
};

/// What jobs need.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) federation: Arc<Federation>,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) signer: Arc<GuardedSigner<Box<dyn Signer>>>,
    pub(crate) policy: Arc<dyn BlockPolicy>,
    pub(crate) log: Arc<Log>,
    /// What ends the operator.
    pub(crate) failed: mpsc::UnboundedSender<OperatorError>,
    pub(crate) alarms: mpsc::Sender<Alarm>,
    pub(crate) calls: Arc<Calls>,
    /// The height that the machine works on.
    pub(crate) height: Arc<AtomicU32>,
}

/// What came of a job.
pub(super) struct Answer {
    /// For the machine.
    pub(super) input: Input,
    /// For the account of this operator's share.
    pub(super) share: Option<(Duty, BlockHeight, Outcome)>,
}

impl Answer {
    fn new(input: Input, duty: Duty, height: BlockHeight, outcome: Option<Outcome>) -> Self {
        Self {
            input,
            share: outcome.map(|outcome| (duty, height, outcome)),
        }
    }
}

/// Why a template is not proposed.
enum NoTemplate {
    /// The node gives none, for now.
    Node(Fault),
    /// What it gives is none of this chain.
    Foreign(String),
    /// Nothing is wrong: the chain goes on meanwhile.
    Outdated(String),
}

impl From<Fault> for NoTemplate {
    fn from(fault: Fault) -> Self {
        Self::Node(fault)
    }
}

/// What node and policy say of a block.
enum Opinion {
    Valid,
    Invalid(String),
    /// They did not say.
    Failed(Fault),
    /// The node's tip is another by now.
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

/// Whether the node's error is its word on the block that it was given. Anything else is a fault
/// of the node's own, and it is asked again.
const fn is_refusal(code: i32) -> bool {
    matches!(
        code,
        RpcError::VERIFY_ERROR | RpcError::DESERIALIZATION_ERROR
    )
}

impl Jobs {
    pub(super) async fn template(&self, height: BlockHeight, round: Round) -> Answer {
        let failed = Input::TemplateFailed { height, round };
        let (input, outcome) = match self.try_template(height).await {
            Ok(candidate) => {
                let input = Input::Template {
                    height,
                    round,
                    candidate,
                };
                (input, Some(Outcome::Done))
            }
            Err(NoTemplate::Outdated(why)) => {
                tracing::debug!(%height, why, "no template for this height");
                (failed, None)
            }
            Err(NoTemplate::Node(fault)) => {
                self.log
                    .complaint("the node gives no template", &fault.reason);
                (failed, Some(Outcome::Failed(fault)))
            }
            Err(NoTemplate::Foreign(reason)) => {
                // With many under way one more says nothing new.
                let _ = self.alarms.try_send(Alarm::ForeignTemplate {
                    height,
                    reason: reason.clone(),
                });
                (failed, Some(Outcome::Failed(Fault::refusal(reason))))
            }
        };
        Answer::new(input, Duty::Propose, height, outcome)
    }

    /// The node's next block, judged as everybody else's is: a node may lie, or another may have put
    /// itself between.
    async fn try_template(&self, height: BlockHeight) -> Result<Candidate, NoTemplate> {
        let bytes = self.new_block(height).await?;
        let candidate = candidate(&self.federation, bytes)
            .await
            .map_err(|error| NoTemplate::Foreign(error.to_string()))?;
        if candidate.height != height {
            // The node has a block more than the watcher has seen; the tip is on its way.
            let why = format!("it is for {}", candidate.height);
            return Err(NoTemplate::Outdated(why));
        }
        match self.check_parameters(&candidate).await {
            Opinion::Valid => Ok(candidate),
            Opinion::Invalid(reason) => Err(NoTemplate::Foreign(reason)),
            Opinion::Failed(fault) => Err(NoTemplate::Node(fault)),
            Opinion::Outdated => Err(NoTemplate::Outdated("the node's tip changed".to_owned())),
        }
    }

    /// Compares the dynafed parameters that a block shows with those that the own node has in force
    /// for the next block.
    async fn check_parameters(&self, candidate: &Candidate) -> Opinion {
        let rules = self.federation.rules();
        if rules.dialect() != Dialect::Dynafed {
            return Opinion::Valid;
        }
        let info = match self.node.blockchain_info().await {
            Ok(info) => info,
            Err(error) => {
                self.log.complaint(
                    "the node does not tell the chain's parameters",
                    &error.to_string(),
                );
                return Opinion::Failed(error.into());
            }
        };
        // What it tells is of the block above its tip, in the first block of an epoch too.
        if info.best_block_hash != candidate.previous {
            return Opinion::Outdated;
        }
        let told = info.current_params_root.unwrap_or_default();
        let checked = told
            .parse::<ParamsRoot>()
            .map_err(|error| format!("the own node tells no parameters of its next block: {error}"))
            .and_then(|in_force| {
                let block = Block::decode(rules.dialect(), candidate.bytes.clone())
                    .map_err(|error| error.to_string())?;
                rules
                    .check_parameters(block.header(), in_force)
                    .map_err(|error| error.to_string())
            });
        checked.map_or_else(Opinion::Invalid, |()| Opinion::Valid)
    }

    /// The node's next block, with the agreed sweep in it if it has its place there. A leader's own
    /// policy is not asked about it, so there is none without the sweep.
    async fn new_block(&self, height: BlockHeight) -> Result<Bytes, Fault> {
        let bytes = self.node.new_block().await?;
        let Some(sweep) = self.policy.sweep(height) else {
            return Ok(bytes);
        };
        if self.has(&bytes, sweep)? {
            return Ok(bytes);
        }
        let txid = sweep.txid().to_string();
        let transaction = sweep.to_bytes();
        let taken = self.node.include_transaction(&txid, &transaction);
        taken.await.map_err(|error| Fault {
            refused: !error.is_transient(),
            reason: format!("it does not take the agreed sweep {txid}: {error}"),
        })?;
        let bytes = self.node.new_block().await?;
        if self.has(&bytes, sweep)? {
            Ok(bytes)
        } else {
            let reason = format!("it leaves the agreed sweep {txid} out");
            Err(Fault::refusal(reason))
        }
    }

    fn has(&self, block: &Bytes, sweep: &Sweep) -> Result<bool, Fault> {
        let dialect = self.federation.rules().dialect();
        let block = Block::decode(dialect, block.clone()).map_err(Fault::refusal)?;
        // One of another height is for the caller to see.
        Ok(block.height() != SWEPT || has_transaction(&block, sweep).map_err(Fault::refusal)?)
    }

    pub(super) async fn test(&self, candidate: Candidate) -> Answer {
        let opinion = match self.check_parameters(&candidate).await {
            Opinion::Valid => self.ask_node(&candidate).await,
            other => other,
        };
        let (height, hash) = (candidate.height, candidate.hash);
        let (verdict, outcome) = match opinion {
            Opinion::Valid => (Verdict::Valid, Some(Outcome::Done)),
            Opinion::Invalid(reason) => {
                // A node refuses each block on another tip than its own.
                let tip = self.node.best_block_hash().await;
                let is_about_it = tip == Ok(candidate.previous);
                let outcome = is_about_it.then(|| Outcome::RefusedBlock(hash, reason.clone()));
                (Verdict::Invalid(reason), outcome)
            }
            Opinion::Failed(fault) => (Verdict::Unavailable, Some(Outcome::Failed(fault))),
            Opinion::Outdated => (Verdict::Unavailable, None),
        };
        let input = Input::Tested { candidate, verdict };
        Answer::new(input, Duty::Test, height, outcome)
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
                    .complaint("the node does not test a block", &error.to_string());
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
                    .complaint("the policy judges no block", &error.to_string());
                Opinion::Failed(Fault::passing(error))
            }
        }
    }

    pub(super) async fn sign(&self, candidate: Candidate) -> Answer {
        let (height, hash) = (candidate.height, candidate.hash);
        let (input, outcome) = match self.try_sign(candidate).await {
            Ok(signature) => {
                let signature = CompactSignature::from_bytes(signature.serialize_compact());
                let input = Input::Signed {
                    height,
                    hash,
                    signature,
                };
                (input, Some(Outcome::Done))
            }
            Err((fault, is_outdated)) => {
                let outcome = (!is_outdated).then(|| Outcome::Failed(fault.clone()));
                if fault.refused {
                    let reason = fault.reason;
                    let input = Input::SignRefused {
                        height,
                        hash,
                        reason,
                    };
                    (input, outcome)
                } else {
                    self.log
                        .complaint("a block is not signed yet", &fault.reason);
                    (Input::SignUnavailable { height, hash }, outcome)
                }
            }
        };
        Answer::new(input, Duty::Sign, height, outcome)
    }

    /// The block's signature, or why there is none, and whether that is because the block is there
    /// already: an operator that is slower than M others.
    async fn try_sign(&self, candidate: Candidate) -> Result<ecdsa::Signature, (Fault, bool)> {
        let (height, hash) = (candidate.height, candidate.hash);
        // Of all that came in this was seen; what an older release kept in the store was not.
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
        let is_outdated = is_over && matches!(error, GuardError::BelowFinal { .. });
        let fault = Fault {
            reason: with_causes(&error),
            refused: !error.is_transient(),
        };
        self.end_without_guard(error);
        Err((fault, is_outdated))
    }

    /// Tells the guard which heights are final, one at a time: of those that come meanwhile the last.
    pub(crate) async fn close_heights(&self, mut heights: watch::Receiver<Option<BlockHeight>>) {
        while heights.changed().await.is_ok() {
            let height = *heights.borrow_and_update();
            if let Some(height) = height
                && let Err(error) = self.signer.raise_final(height).await
            {
                self.end_without_guard(error);
            }
        }
        // The engine is gone, and ends this task with it.
        core::future::pending().await
    }

    /// Ends the operator if its guard's store failed, or its key will sign nothing any more. It would fail at each later call as well, and an
    /// operator that votes and never signs is worse than one that is absent: its votes decide blocks
    /// that then lack its signature.
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
    ) -> Answer {
        let (height, hash) = (candidate.height, candidate.hash);
        let (outcome, share) = match self.assemble(&candidate, &signatures) {
            Ok(block) => self.hand_over(&block).await,
            Err(reason) => rejected(reason),
        };
        let input = Input::Submitted {
            height,
            hash,
            outcome,
        };
        Answer::new(input, Duty::Submit, height, share)
    }

    async fn hand_over(&self, block: &Block) -> (SubmitOutcome, Option<Outcome>) {
        match self.node.submit_block(block.as_bytes()).await {
            Ok(NodeOutcome::Accepted | NodeOutcome::Duplicate) => {
                (SubmitOutcome::Accepted, Some(Outcome::Done))
            }
            // It was stored, and is not on the best chain yet, or was not checked yet.
            Ok(NodeOutcome::Rejected(reason)) if reason.ends_with("inconclusive") => {
                self.log
                    .complaint("the node has not decided on a block", &reason);
                (SubmitOutcome::Unavailable, None)
            }
            Ok(NodeOutcome::Rejected(reason)) => rejected(reason),
            Ok(other) => rejected(format!("{other:?}")),
            Err(RpcError::Node { code, message }) if is_refusal(code) => {
                rejected(format!("{message} ({code})"))
            }
            Err(error) => {
                self.log
                    .complaint("the node does not take a block", &error.to_string());
                let share = Outcome::Failed(error.into());
                (SubmitOutcome::Unavailable, Some(share))
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

fn rejected(reason: String) -> (SubmitOutcome, Option<Outcome>) {
    let share = Outcome::Failed(Fault::refusal(reason.clone()));
    (SubmitOutcome::Rejected(reason), Some(share))
}

/// An error with its causes, in one line.
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
