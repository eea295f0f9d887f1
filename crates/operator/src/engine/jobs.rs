//! What the machine asks of node, policy and signer: each in a task of its own.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use federation_block_signing::{Candidate, CompactSignature, Input, SubmitOutcome, Verdict};
use federation_chain::{Block, BlockHeight};
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
        let result = match self.new_block(height).await {
            Ok(bytes) => candidate(&self.federation, bytes).await,
            Err(reason) => Err(reason),
        };
        match result {
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
            Err(reason) => {
                self.log.complaint("the node gives no template", &reason);
                Input::TemplateFailed { height, round }
            }
        }
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
        let verdict = match self.node.test_proposed_block(&candidate.bytes).await {
            Ok(()) => self.ask_policy(&candidate).await,
            Err(RpcError::Node { code, message }) if is_refusal(code) => {
                Verdict::Invalid(format!("{message} ({code})"))
            }
            Err(error) => {
                self.log
                    .complaint("the node does not test a block", &error.to_string());
                Verdict::Unavailable
            }
        };
        Input::Tested { candidate, verdict }
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

    /// Ends the operator if its guard's store failed. It would fail at each later call as well, and an
    /// operator that votes and never signs is worse than one that is absent: its votes decide blocks
    /// that then lack its signature.
    fn end_without_guard(&self, error: GuardError) {
        if matches!(error, GuardError::Store(GuardStoreError::Backend(_))) {
            // Gone only when the engine is.
            let _ = self.failed.send(error.into());
        }
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
