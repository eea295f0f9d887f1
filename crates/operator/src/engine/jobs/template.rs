//! The next block of the operator's node, for rounds that this operator leads.

use bytes::Bytes;
use federation_block_signing::{Alarm, Candidate, Duty, Input};
use federation_chain::{Block, BlockHeight, Dialect, ParamsRoot};
use federation_genesis::Sweep;
use federation_roster::Round;

use super::{
    super::{
        blocks::candidate,
        duties::{DutyOutcome, Fault},
    },
    JobResult, Jobs, Opinion,
};
use crate::policy::{SWEEP_HEIGHT, has_transaction};

/// Why a template is not proposed.
enum NoTemplate {
    /// The node gives no template for now.
    Node(Fault),
    /// The template does not belong to this chain.
    Foreign(String),
    /// The chain has moved on; nothing is wrong.
    Outdated(String),
}

impl From<Fault> for NoTemplate {
    fn from(fault: Fault) -> Self {
        Self::Node(fault)
    }
}

impl Jobs {
    pub(in super::super) async fn template(&self, height: BlockHeight, round: Round) -> JobResult {
        let failed = Input::TemplateFailed { height, round };
        let (input, outcome) = match self.try_template(height).await {
            Ok(candidate) => {
                let input = Input::Template {
                    height,
                    round,
                    candidate,
                };
                (input, Some(DutyOutcome::Done))
            }
            Err(NoTemplate::Outdated(why)) => {
                tracing::debug!(%height, why, "template outdated");
                (failed, None)
            }
            Err(NoTemplate::Node(fault)) => {
                self.log.problem("no template from the node", &fault.reason);
                (failed, Some(DutyOutcome::Failed(fault)))
            }
            Err(NoTemplate::Foreign(reason)) => {
                // If the queue is full, many alarms are pending and one more says nothing new.
                let _ = self.alarms.try_send(Alarm::ForeignTemplate {
                    height,
                    reason: reason.clone(),
                });
                (failed, Some(DutyOutcome::Failed(Fault::refusal(reason))))
            }
        };
        JobResult::new(input, Duty::Propose, height, outcome)
    }

    /// Returns the node's next block, checked like everybody else's: the node may lie, or an
    /// attacker may sit between it and the operator.
    async fn try_template(&self, height: BlockHeight) -> Result<Candidate, NoTemplate> {
        let bytes = self.new_block(height).await?;
        let candidate = candidate(&self.federation, bytes)
            .await
            .map_err(|error| NoTemplate::Foreign(error.to_string()))?;
        if candidate.height != height {
            // The node has a block that the watcher has not seen yet; the new tip is on its way.
            let why = format!("it is for height {}", candidate.height);
            return Err(NoTemplate::Outdated(why));
        }
        match self.check_parameters(&candidate).await {
            Opinion::Valid => Ok(candidate),
            Opinion::Invalid(reason) => Err(NoTemplate::Foreign(reason)),
            Opinion::Failed(fault) => Err(NoTemplate::Node(fault)),
            Opinion::Outdated => Err(NoTemplate::Outdated("the node's tip changed".to_owned())),
        }
    }

    /// Compares the dynafed parameters in a block's header with those that the operator's node has
    /// in force for the next block.
    pub(super) async fn check_parameters(&self, candidate: &Candidate) -> Opinion {
        let rules = self.federation.rules();
        if rules.dialect() != Dialect::Dynafed {
            return Opinion::Valid;
        }
        let info = match self.node.blockchain_info().await {
            Ok(info) => info,
            Err(error) => {
                self.log
                    .problem("no chain parameters from the node", &error.to_string());
                return Opinion::Failed(error.into());
            }
        };
        // The node reports the parameters of the block above its tip, also for the first block of
        // an epoch.
        if info.best_block_hash != candidate.previous {
            return Opinion::Outdated;
        }
        let told = info.current_params_root.unwrap_or_default();
        let checked = told
            .parse::<ParamsRoot>()
            .map_err(|error| format!("this operator's node does not report valid parameters for its next block: {error}"))
            .and_then(|in_force| {
                let block = Block::decode(rules.dialect(), candidate.bytes.clone())
                    .map_err(|error| error.to_string())?;
                rules
                    .check_parameters(block.header(), in_force)
                    .map_err(|error| error.to_string())
            });
        checked.map_or_else(Opinion::Invalid, |()| Opinion::Valid)
    }

    /// Returns the node's next block, with the agreed sweep in it if the block must contain it. A
    /// leader does not ask its own policy about its template, so the sweep is ensured here.
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
            reason: format!("the node does not accept the agreed sweep {txid}: {error}"),
        })?;
        let bytes = self.node.new_block().await?;
        if self.has(&bytes, sweep)? {
            Ok(bytes)
        } else {
            let reason = format!("the node's template lacks the agreed sweep {txid}");
            Err(Fault::refusal(reason))
        }
    }

    fn has(&self, block: &Bytes, sweep: &Sweep) -> Result<bool, Fault> {
        let dialect = self.federation.rules().dialect();
        let block = Block::decode(dialect, block.clone()).map_err(Fault::refusal)?;
        // The caller deals with a block of another height.
        Ok(block.height() != SWEEP_HEIGHT
            || has_transaction(&block, sweep).map_err(Fault::refusal)?)
    }
}
