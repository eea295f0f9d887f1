//! The own node's next block, for when this operator leads.

use bytes::Bytes;
use federation_block_signing::{Alarm, Candidate, Duty, Input};
use federation_chain::{Block, BlockHeight, Dialect, ParamsRoot};
use federation_genesis::Sweep;
use federation_roster::Round;

use super::{
    super::{
        account::{Fault, Outcome},
        blocks::candidate,
    },
    Answer, Jobs, Opinion,
};
use crate::policy::{SWEPT, has_transaction};

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

impl Jobs {
    pub(in super::super) async fn template(&self, height: BlockHeight, round: Round) -> Answer {
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
    pub(super) async fn check_parameters(&self, candidate: &Candidate) -> Opinion {
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
}
