//! What the machine asks of node, policy and signer: each in a task of its own.

use std::{collections::BTreeMap, sync::Arc};

use federation_block_signing::{Candidate, CompactSignature, Input, SubmitOutcome, Verdict};
use federation_chain::{Block, BlockHeight};
use federation_ocean_rpc::{Node, RpcError, SubmitOutcome as NodeOutcome};
use federation_roster::{Federation, OperatorId, Round};
use federation_signer::{GuardedSigner, Signer};
use secp256k1::ecdsa;

use super::ingress::decode_candidate;
use crate::BlockPolicy;

/// What jobs need.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) federation: Arc<Federation>,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) signer: Arc<GuardedSigner<Box<dyn Signer>>>,
    pub(crate) policy: Arc<dyn BlockPolicy>,
}

impl Jobs {
    pub(crate) async fn template(&self, height: BlockHeight, round: Round) -> Input {
        let result = match self.node.new_block().await {
            Ok(bytes) => decode_candidate(&self.federation, bytes),
            Err(error) => Err(error.to_string()),
        };
        match result {
            Ok(candidate) => Input::Template {
                height,
                round,
                candidate,
            },
            Err(reason) => {
                tracing::warn!(%height, %round, reason, "no template from the node");
                Input::TemplateFailed { height, round }
            }
        }
    }

    pub(crate) async fn test(&self, candidate: Candidate) -> Input {
        let verdict = match self.node.test_proposed_block(&candidate.bytes).await {
            Ok(()) => self.ask_policy(&candidate).await,
            Err(RpcError::Node { code, message }) => {
                Verdict::Invalid(format!("{message} ({code})"))
            }
            Err(error) => {
                tracing::debug!(%error, "the node did not test a block");
                Verdict::Unavailable
            }
        };
        Input::Tested {
            height: candidate.height,
            hash: candidate.hash,
            verdict,
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
        let Candidate { height, hash, .. } = candidate;
        match self.signer.sign_block(height, hash).await {
            Ok(signature) => Input::Signed {
                height,
                hash,
                signature: CompactSignature::from_bytes(signature.serialize_compact()),
            },
            Err(error) => Input::SignRefused {
                height,
                hash,
                reason: with_causes(&error),
            },
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
                Ok(NodeOutcome::Rejected(reason)) => SubmitOutcome::Rejected(reason),
                Ok(other) => SubmitOutcome::Rejected(format!("{other:?}")),
                Err(RpcError::Node { code, message }) => {
                    SubmitOutcome::Rejected(format!("{message} ({code})"))
                }
                Err(error) => {
                    tracing::debug!(%error, "the node did not take a block");
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
