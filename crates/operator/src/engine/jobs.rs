//! What the machine asks of node, policy and signer: each in a task of its own.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use federation_block_signing::{Alarm, Candidate, CompactSignature, Input, SubmitOutcome, Verdict};
use federation_chain::{Block, BlockHeight, Dialect, ParamsRoot};
use federation_genesis::Sweep;
use federation_ocean_rpc::{Node, RpcError, SubmitOutcome as NodeOutcome};
use federation_roster::{Federation, OperatorId, Round};
use federation_signer::{GuardError, GuardStoreError, GuardedSigner, Signer};
use secp256k1::ecdsa;
use tokio::sync::mpsc;

use super::blocks::candidate;
use crate::{
    BlockPolicy, OperatorError,
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
}

/// Why a template is not proposed.
enum NoTemplate {
    /// The node gives none, for now.
    Node(String),
    /// What it gives is none of this chain.
    Foreign(String),
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
    pub(crate) async fn template(&self, height: BlockHeight, round: Round) -> Input {
        match self.try_template(height).await {
            Ok(candidate) if candidate.height != height => {
                // The node has a block more than the watcher has seen; the tip is on its way.
                tracing::debug!(%height, found = %candidate.height, "template of another height");
                Input::TemplateFailed { height, round }
            }
            Ok(candidate) => Input::Template {
                height,
                round,
                candidate,
            },
            Err(NoTemplate::Node(reason)) => {
                self.log.complaint("the node gives no template", &reason);
                Input::TemplateFailed { height, round }
            }
            Err(NoTemplate::Foreign(reason)) => {
                // With many under way one more says nothing new.
                let _ = self
                    .alarms
                    .try_send(Alarm::ForeignTemplate { height, reason });
                Input::TemplateFailed { height, round }
            }
        }
    }

    /// The node's next block, judged as everybody else's is: a node may lie, or another may have put
    /// itself between.
    async fn try_template(&self, height: BlockHeight) -> Result<Candidate, NoTemplate> {
        let bytes = self.new_block(height).await.map_err(NoTemplate::Node)?;
        let candidate = candidate(&self.federation, bytes)
            .await
            .map_err(|error| NoTemplate::Foreign(error.to_string()))?;
        if candidate.height != height {
            return Ok(candidate);
        }
        match self.check_parameters(&candidate).await {
            Verdict::Valid => Ok(candidate),
            Verdict::Invalid(reason) => Err(NoTemplate::Foreign(reason)),
            _ => Err(NoTemplate::Node(
                "it does not tell the parameters of its next block".to_owned(),
            )),
        }
    }

    /// Compares the dynafed parameters that a block shows with those that the own node has in force
    /// for the next block.
    async fn check_parameters(&self, candidate: &Candidate) -> Verdict {
        let rules = self.federation.rules();
        if rules.dialect() != Dialect::Dynafed {
            return Verdict::Valid;
        }
        let info = match self.node.blockchain_info().await {
            Ok(info) => info,
            Err(error) => {
                self.log.complaint(
                    "the node does not tell the chain's parameters",
                    &error.to_string(),
                );
                return Verdict::Unavailable;
            }
        };
        // What it tells is of the block above its tip, in the first block of an epoch too.
        if info.best_block_hash != candidate.previous {
            return Verdict::Unavailable;
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
        checked.map_or_else(Verdict::Invalid, |()| Verdict::Valid)
    }

    /// The node's next block, with the agreed sweep in it if it has its place there. A leader's own
    /// policy is not asked about it, so there is none without the sweep.
    async fn new_block(&self, height: BlockHeight) -> Result<Bytes, String> {
        let template = || async {
            let bytes = self.node.new_block().await;
            bytes.map_err(|error| error.to_string())
        };
        let bytes = template().await?;
        let Some(sweep) = self.policy.sweep(height) else {
            return Ok(bytes);
        };
        if self.has(&bytes, sweep)? {
            return Ok(bytes);
        }
        let txid = sweep.txid().to_string();
        self.node
            .include_transaction(&txid, &sweep.to_bytes())
            .await
            .map_err(|error| format!("it does not take the agreed sweep {txid}: {error}"))?;
        let bytes = template().await?;
        if self.has(&bytes, sweep)? {
            Ok(bytes)
        } else {
            Err(format!("it leaves the agreed sweep {txid} out"))
        }
    }

    fn has(&self, block: &Bytes, sweep: &Sweep) -> Result<bool, String> {
        let dialect = self.federation.rules().dialect();
        let block = Block::decode(dialect, block.clone()).map_err(|error| error.to_string())?;
        // One of another height is for the caller to see.
        Ok(block.height() != SWEPT || has_transaction(&block, sweep)?)
    }

    pub(crate) async fn test(&self, candidate: Candidate) -> Input {
        let verdict = match self.check_parameters(&candidate).await {
            Verdict::Valid => self.ask_node(&candidate).await,
            other => other,
        };
        Input::Tested { candidate, verdict }
    }

    async fn ask_node(&self, candidate: &Candidate) -> Verdict {
        match self.node.test_proposed_block(&candidate.bytes).await {
            Ok(()) => self.ask_policy(candidate).await,
            Err(RpcError::Node { code, message }) if is_refusal(code) => {
                Verdict::Invalid(format!("{message} ({code})"))
            }
            Err(error) => {
                self.log
                    .complaint("the node does not test a block", &error.to_string());
                Verdict::Unavailable
            }
        }
    }

    async fn ask_policy(&self, candidate: &Candidate) -> Verdict {
        let dialect = self.federation.rules().dialect();
        let checked = match Block::decode(dialect, candidate.bytes.clone()) {
            Ok(block) => self.policy.check(&block).await,
            Err(error) => Err(error.to_string()),
        };
        match checked {
            Ok(()) => Verdict::Valid,
            Err(reason) => Verdict::Invalid(reason),
        }
    }

    pub(crate) async fn sign(&self, candidate: Candidate) -> Input {
        let (height, hash) = (candidate.height, candidate.hash);
        // Of all that came in this was seen; what an older release kept in the store was not.
        if let Err(reason) = self.check_before_signing(&candidate) {
            return Input::SignRefused {
                height,
                hash,
                reason,
            };
        }
        match self
            .signer
            .sign_full_block(height, hash, &candidate.bytes)
            .await
        {
            Ok(signature) => Input::Signed {
                height,
                hash,
                signature: CompactSignature::from_bytes(signature.serialize_compact()),
            },
            Err(error) => {
                let reason = with_causes(&error);
                self.end_without_guard(error);
                Input::SignRefused {
                    height,
                    hash,
                    reason,
                }
            }
        }
    }

    /// Tells the guard that a height is final.
    pub(crate) async fn raise_final(&self, height: BlockHeight) {
        if let Err(error) = self.signer.raise_final(height).await {
            self.end_without_guard(error);
        }
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

    pub(crate) async fn submit(
        &self,
        candidate: Candidate,
        signatures: BTreeMap<OperatorId, CompactSignature>,
    ) -> Input {
        let outcome = match self.assemble(&candidate, &signatures) {
            Ok(block) => match self.node.submit_block(block.as_bytes()).await {
                Ok(NodeOutcome::Accepted | NodeOutcome::Duplicate) => SubmitOutcome::Accepted,
                // It was stored, and is not on the best chain yet, or was not checked yet.
                Ok(NodeOutcome::Rejected(reason)) if reason.ends_with("inconclusive") => {
                    self.log
                        .complaint("the node has not decided on a block", &reason);
                    SubmitOutcome::Unavailable
                }
                Ok(NodeOutcome::Rejected(reason)) => SubmitOutcome::Rejected(reason),
                Ok(other) => SubmitOutcome::Rejected(format!("{other:?}")),
                Err(RpcError::Node { code, message }) if is_refusal(code) => {
                    SubmitOutcome::Rejected(format!("{message} ({code})"))
                }
                Err(error) => {
                    self.log
                        .complaint("the node does not take a block", &error.to_string());
                    SubmitOutcome::Unavailable
                }
            },
            Err(reason) => SubmitOutcome::Rejected(reason),
        };
        Input::Submitted {
            height: candidate.height,
            hash: candidate.hash,
            outcome,
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
