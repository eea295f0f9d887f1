//! Calls to the node and the signer, made concurrently with the driver's loop.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use federation_chain::{
    Block, BlockHash, BlockHeight, Dialect, ParamsRoot, SigningRules, UnixTime,
};
use federation_ocean_rpc::{Node, RpcError, SubmitOutcome};
use secp256k1::ecdsa::Signature;

use tokio_util::task::AbortOnDropHandle;

use crate::{
    BlockSigner, ChainView, Duty, Input, NodeError, Output, RawReissuance, Reissuer, SignFailure,
    Turn, TurnGuard, TurnGuardError, TurnRecord, Verdict,
};

/// The result of a job.
pub(super) enum Answer {
    Input(Input),
    /// An input, and whether this operator did its duty, or the reason why not.
    Duty(Input, Duty, Result<(), String>),
    /// Nothing may be signed from now on.
    GuardFailed(TurnGuardError),
}

/// Why a block was not signed.
enum Unsigned {
    /// The chain has advanced in the meantime, which is not a fault.
    Outdated,
    Failed(String),
}

impl From<Unsigned> for String {
    fn from(why: Unsigned) -> Self {
        match why {
            Unsigned::Outdated => "the node's best block has changed".to_owned(),
            Unsigned::Failed(reason) => reason,
        }
    }
}

/// What jobs need.
#[derive(Clone)]
pub(super) struct Jobs {
    pub(super) node: Arc<dyn Node>,
    pub(super) signer: Arc<dyn BlockSigner>,
    pub(super) guard: TurnGuard,
    pub(super) reissuer: Option<Reissuer>,
    pub(super) rules: SigningRules,
    /// The time of block 1, once known.
    pub(super) first_block: Arc<OnceLock<UnixTime>>,
    /// How long a signature may take.
    pub(super) key_limit: Duration,
    /// How long finding or signing reissuances may take.
    pub(super) reissuer_limit: Duration,
}

impl Jobs {
    pub(super) async fn run(self, output: Output) -> Answer {
        let input = match output {
            Output::AskChain(turn) => Input::Chain {
                turn,
                view: text(self.view().await),
            },
            Output::AskTemplate(turn) => {
                let (block, reissuances) = tokio::join!(self.node.new_block(), self.reissuances());
                Input::Template {
                    turn,
                    reissuances,
                    block: text(block),
                }
            }
            Output::TestBlock { turn, block } => {
                let (verdict, duty) = self.test(&block).await;
                let hash = block.block_hash();
                let input = Input::Tested {
                    turn,
                    hash,
                    verdict,
                };
                return match duty {
                    Some(result) => Answer::Duty(input, Duty::Test, result),
                    None => Answer::Input(input),
                };
            }
            Output::SignBlock {
                turn,
                block,
                reissuances,
            } => match self.sign(turn, &block).await {
                Ok(signatures) => {
                    let duty = match &signatures {
                        Ok(_) => Some(Ok(())),
                        Err(Unsigned::Failed(reason)) => Some(Err(reason.clone())),
                        Err(Unsigned::Outdated) => None,
                    };
                    let input = Input::Signed {
                        turn,
                        hash: block.block_hash(),
                        signatures: signatures.map_err(String::from),
                        reissuances: self.sign_reissuances(&block, &reissuances).await,
                    };
                    return match duty {
                        Some(result) => Answer::Duty(input, Duty::Sign, result),
                        None => Answer::Input(input),
                    };
                }
                Err(error) => return Answer::GuardFailed(error),
            },
            Output::Reissue {
                reissuances,
                signatures,
            } => {
                self.reissue(&reissuances, &signatures).await;
                Input::Tick
            }
            Output::Submit(block) => self.submit(&block).await,
            // Handled by the loop itself.
            Output::Publish(_) | Output::Finish { .. } | Output::Event(_) => Input::Tick,
        };
        Answer::Input(input)
    }

    /// Returns the reissuances to propose on the node's best block. A failure does not cost the block.
    async fn reissuances(&self) -> Vec<RawReissuance> {
        let Some(reissuer) = &self.reissuer else {
            return Vec::new();
        };
        let call = async {
            match self.node.block_count().await {
                Ok(height) => reissuer.proposed(height.to_u32()).await,
                Err(error) => Err(NodeError::from(error).into()),
            }
        };
        let error = match tokio::time::timeout(self.reissuer_limit, call).await {
            Ok(Ok(proposed)) => return proposed,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", self.reissuer_limit.as_millis()),
        };
        tracing::warn!(error, "no reissuance proposed");
        Vec::new()
    }

    /// Signs the leader's reissuances.
    async fn sign_reissuances(
        &self,
        block: &Block,
        reissuances: &[RawReissuance],
    ) -> Option<Vec<String>> {
        let reissuer = self.reissuer.as_ref().filter(|_| !reissuances.is_empty())?;
        let height = block.height().previous()?.to_u32();
        // The block's signature exists already and must not be delayed too long by these.
        let call = reissuer.sign(height, reissuances);
        let error = match tokio::time::timeout(self.reissuer_limit, call).await {
            Ok(Ok(signatures)) => return Some(signatures),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no signature within {} ms", self.reissuer_limit.as_millis()),
        };
        tracing::warn!(%height, error, "reissuances not signed");
        None
    }

    /// Completes and sends reissuances. If that fails, it is retried at later heights.
    async fn reissue(&self, reissuances: &[RawReissuance], signatures: &[Vec<String>]) {
        let Some(reissuer) = &self.reissuer else {
            return;
        };
        match reissuer.send(reissuances, signatures).await {
            Ok(ids) => tracing::info!(transactions = ids.join(" "), "reissued"),
            Err(error) => tracing::warn!(%error, "reissuances not sent"),
        }
    }

    async fn view(&self) -> Result<ChainView, RpcError> {
        let tip = self.node.best_block_hash().await?;
        let height = self.node.header_info(tip).await?.height;
        if height > BlockHeight::GENESIS && self.first_block.get().is_none() {
            let first = self.node.block_hash(BlockHeight::new(1)).await?;
            let time = self.node.header_info(first).await?.time;
            self.first_block.get_or_init(|| UnixTime::from_secs(time));
        }
        Ok(ChainView {
            height,
            tip,
            first_block: self.first_block.get().copied(),
        })
    }

    /// Compares a block's dynafed parameters with those in force at our node, since nodes do not compare
    /// all of them.
    async fn check_parameters(&self, block: &Block) -> Result<(), String> {
        let rules = &self.rules;
        if rules.dialect() != Dialect::Dynafed {
            return Ok(());
        }
        let info = self.node.blockchain_info().await;
        let root = info.map_err(|error| error.to_string())?.current_params_root;
        let in_force: ParamsRoot = root
            .unwrap_or_default()
            .parse()
            .map_err(|error| format!("our node reports no parameters: {error}"))?;
        rules
            .check_parameters(block.header(), in_force)
            .map_err(|error| error.to_string())
    }

    /// Returns the node's verdict, and whether the node answered at all; a refusal counts as an answer.
    async fn test(&self, block: &Block) -> (Verdict, Option<Result<(), String>>) {
        // If the block is the node's best already, the parameters in force are those after it; that case
        // is handled below.
        let is_best = self.node.best_block_hash().await == Ok(block.block_hash());
        if !is_best && let Err(reason) = self.check_parameters(block).await {
            return (Verdict::Invalid(reason), None);
        }
        match self.node.test_proposed_block(block.as_bytes()).await {
            Ok(()) => (Verdict::Valid, Some(Ok(()))),
            // A leader that runs this program completes its block as soon as it can.
            Err(_) if self.node.best_block_hash().await == Ok(block.block_hash()) => {
                (Verdict::Complete, None)
            }
            Err(error) => {
                let is_answer = matches!(
                    error,
                    RpcError::Node {
                        code: RpcError::VERIFY_ERROR | RpcError::DESERIALIZATION_ERROR,
                        ..
                    }
                );
                let reason = error.to_string();
                let duty = (!is_answer).then(|| Err(reason.clone()));
                (Verdict::Invalid(reason), duty)
            }
        }
    }

    /// Signs a block that is still on top of the best block and that the guard admits. Fails only if the
    /// guard cannot write its record.
    async fn sign(
        &self,
        turn: Turn,
        block: &Block,
    ) -> Result<Result<Vec<Signature>, Unsigned>, TurnGuardError> {
        match self.node.best_block_hash().await {
            Ok(tip) if tip == block.header().previous() => {}
            Ok(_) => return Ok(Err(Unsigned::Outdated)),
            Err(error) => return Ok(Err(Unsigned::Failed(error.to_string()))),
        }
        let record = TurnRecord {
            height: block.height(),
            turn: turn.start(),
            hash: block.block_hash(),
        };
        match self.guard.admit(record).await {
            Ok(()) => Ok(self.call_signer(block.clone()).await),
            Err(error @ TurnGuardError::File(_)) => Err(error),
            Err(refused) => Ok(Err(Unsigned::Failed(refused.to_string()))),
        }
    }

    /// Calls the signer. A signer that hangs or panics costs this turn only.
    async fn call_signer(&self, block: Block) -> Result<Vec<Signature>, Unsigned> {
        let signer = self.signer.clone();
        let call = AbortOnDropHandle::new(tokio::spawn(async move { signer.sign(&block).await }));
        let failed = |why: SignFailure| Unsigned::Failed(why.to_string());
        match tokio::time::timeout(self.key_limit, call).await {
            Ok(Ok(signed)) => signed.map_err(failed),
            Ok(Err(error)) => Err(failed(SignFailure::new(format!(
                "the signer failed: {error}"
            )))),
            Err(_) => Err(failed(SignFailure::new(format!(
                "no signature within {} ms",
                self.key_limit.as_millis()
            )))),
        }
    }

    async fn submit(&self, block: &Block) -> Input {
        let hash: BlockHash = block.block_hash();
        let result = match self.node.submit_block(block.as_bytes()).await {
            Ok(SubmitOutcome::Accepted | SubmitOutcome::Duplicate) => Ok(()),
            Ok(SubmitOutcome::Rejected(reason)) => Err(reason),
            Ok(other) => Err(format!("unexpected outcome: {other:?}")),
            Err(error) => Err(error.to_string()),
        };
        Input::Submitted { hash, result }
    }
}

fn text<T>(result: Result<T, impl core::fmt::Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
