//! The reissuance task, which runs next to the one that makes blocks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use elements::{Txid, encode::serialize};
use federation_block_signing::{MessageParts, Part};
use federation_chain::{BlockHeight, SigningRules};
use federation_ocean_rpc::RpcError;
use federation_reissuance::{
    AssetSettings, Chain, Collection, Ledger, LedgerError, LedgerEvent, PartialSignatures, Plan,
    PlanError, TokenForm,
};
use federation_roster::{OperatorId, Round};
use federation_signer::{SignerError, SpendSigner};
use secp256k1::ecdsa;
use tokio::sync::{broadcast, mpsc, watch};

use super::{
    AssetStatus, DueStatus, FollowError, Reading, Reissuance, ReissuanceDifferences,
    ReissuanceNode,
    differences::Differences,
    follow::follow,
    guard::{PaysTwice, Signed, SignedForPoint},
    statement::Statement,
};
use crate::{
    OperatorEvent, OperatorStatus, ReissuanceStore, StoreError,
    calls::{CallError, Calls},
    engine::{BroadcastError, Broadcaster, REISSUANCE, ReissuanceFrame},
    store::on_disk,
    throttle::Throttle,
};

/// The pause before a failed step is tried again if no block comes meanwhile.
const RETRY: Duration = Duration::from_secs(2);

/// A ledger of up to this many bytes is written at each block.
const SMALL_LEDGER: usize = 64 * 1024;
/// A larger one is written once in this many blocks.
const WRITE_INTERVAL: u32 = 64;

/// What the task needs from the operator.
pub(crate) struct Parts {
    pub(crate) broadcaster: Broadcaster,
    pub(crate) operator: watch::Receiver<OperatorStatus>,
    pub(crate) frames: mpsc::Receiver<ReissuanceFrame>,
    pub(crate) events: broadcast::Sender<OperatorEvent>,
    pub(crate) status: watch::Sender<Vec<AssetStatus>>,
    pub(crate) differences: watch::Sender<ReissuanceDifferences>,
    pub(crate) calls: Arc<Calls>,
}

/// Reissues until the operator stops.
pub(crate) struct Task {
    parts: Parts,
    ledger: Ledger,
    rules: SigningRules,
    spender: Arc<dyn SpendSigner>,
    node: Arc<dyn ReissuanceNode>,
    store: Arc<ReissuanceStore>,
    work: Vec<AssetWork>,
    differences: Differences,
    throttle: Throttle,
    /// The height of the stored ledger.
    stored: Option<BlockHeight>,
}

/// The work on one asset.
#[derive(Default)]
struct AssetWork {
    current: Option<Current>,
    /// The latest statements of others, in case this operator's plan is made later than theirs.
    statements: BTreeMap<OperatorId, Statement>,
    paid: Option<(BlockHeight, Txid)>,
    problem: Option<String>,
}

/// The payment that is being prepared.
struct Current {
    plan: Plan,
    id: Txid,
    collection: Collection,
    own: Option<PartialSignatures>,
    /// The tip when it was last handed to the node.
    sent_at: Option<BlockHeight>,
}

/// Why a step failed; the next block brings another attempt.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Follow(#[from] FollowError),
    #[error("the reissuance key did not sign: {0}")]
    Signer(#[from] SignerError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the statement was not sent: {0}")]
    NotSent(#[from] BroadcastError),
    #[error(transparent)]
    PaysTwice(#[from] PaysTwice),
    #[error(transparent)]
    Build(#[from] federation_reissuance::BuildError),
    #[error(transparent)]
    Own(#[from] federation_reissuance::SignatureError),
    #[error("the record of what was signed for this point cannot be read")]
    Record,
    #[error("the node refused the complete transaction {0}: {1}")]
    Refused(Txid, RpcError),
    /// Ends the task and with it the operator: without its memory it may not sign.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Task {
    /// Creates the task and loads its ledger from the store.
    pub(crate) fn new(reissuance: Reissuance, parts: Parts) -> Result<Self, StoreError> {
        let Reissuance {
            assets,
            spender,
            node,
            store,
        } = reissuance;
        let federation = &parts.broadcaster.federation;
        let rules = federation.rules().clone();
        let chain = Chain {
            genesis: federation.genesis(),
            tokens: TokenForm::of(rules.dialect()),
        };
        let work = assets.iter().map(|_| AssetWork::default()).collect();
        let ledger = restore(&store, chain, assets)?;
        Ok(Self {
            stored: ledger.tip().map(|(height, _)| height),
            differences: Differences::new(parts.differences.clone()),
            parts,
            ledger,
            rules,
            spender,
            node,
            store: Arc::new(store),
            work,
            throttle: Throttle::default(),
        })
    }

    /// Runs until the operator is gone.
    ///
    /// # Errors
    /// If the store failed.
    pub(crate) async fn run(mut self) -> Result<(), StoreError> {
        let mut again = false;
        loop {
            tokio::select! {
                changed = self.parts.operator.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let tip = self.parts.operator.borrow_and_update().tip;
                    let known = self.ledger.tip();
                    if tip.is_none() || (tip == known && !again) {
                        continue;
                    }
                }
                frame = self.parts.frames.recv() => {
                    let Some(frame) = frame else { return Ok(()) };
                    if let Err(error) = self.on_message(&frame).await {
                        self.log_error(error)?;
                    }
                    continue;
                }
                () = tokio::time::sleep(RETRY), if again => {}
            }
            again = match self.advance().await {
                Ok(()) => false,
                Err(error) => {
                    self.log_error(error)?;
                    true
                }
            };
            self.publish_status();
        }
    }

    /// Logs an error, and returns it if it ends the task.
    fn log_error(&self, error: StepError) -> Result<(), StoreError> {
        if let StepError::Store(error) = error {
            tracing::error!(%error, "reissuance store failed");
            return Err(error);
        }
        if self.throttle.passes("reissuance", &error.to_string()) {
            match error {
                StepError::Follow(error) if error.is_false_data() => {
                    tracing::error!(%error, "node does not return the federation's chain: nothing is reissued until it does");
                }
                error => tracing::warn!(%error, "reissuance delayed"),
            }
        }
        Ok(())
    }

    /// Reads the chain up to its tip, and works on each asset.
    async fn advance(&mut self) -> Result<(), StepError> {
        let Some((height, _)) = self.parts.operator.borrow().tip else {
            return Ok(());
        };
        if let Err(error) = self.read_to(height).await {
            let text = error.to_string();
            for work in &mut self.work {
                work.problem = Some(text.clone());
            }
            return Err(error);
        }
        let mut result = Ok(());
        for index in 0..self.work.len() {
            // A problem with one asset does not hold up the others.
            let done = self.work_on(index, height).await;
            let work = &mut self.work[index];
            if let Err(error) = &done {
                work.problem = Some(error.to_string());
            }
            match done {
                Err(StepError::Store(error)) => return Err(error.into()),
                Err(error) => result = Err(error),
                Ok(()) => {}
            }
        }
        result
    }

    async fn read_to(&mut self, height: BlockHeight) -> Result<(), StepError> {
        let mut reading = LedgerLog {
            settings: self.ledger.settings().to_vec(),
            work: &mut self.work,
            events: &self.parts.events,
        };
        let node = self.node.clone();
        let read = follow(&mut self.ledger, &*node, &self.rules, height, &mut reading).await;
        if let Err(FollowError::Ledger(LedgerError::Previous { .. })) = &read {
            // Blocks are final, so the node was reset: the chain is read again from its beginning.
            let settings = self.ledger.settings().to_vec();
            self.ledger = Ledger::new(*self.ledger.chain(), settings);
        }
        let now = self.ledger.tip().map(|(height, _)| height);
        let (store, state) = (self.store.clone(), self.ledger.to_bytes());
        if is_worth_writing(now, self.stored, state.len()) {
            on_disk(self.parts.calls.tasks(), move || store.write_ledger(&state)).await?;
            self.stored = now;
        }
        Ok(read?)
    }

    async fn work_on(&mut self, index: usize, height: BlockHeight) -> Result<(), StepError> {
        let plan = match self.ledger.plan(index) {
            Ok(plan) => plan,
            Err(error) => {
                self.stop_work(index, &error);
                return Ok(());
            }
        };
        self.work[index].problem = None;
        if self.work[index]
            .current
            .as_ref()
            .is_none_or(|current| current.plan != plan)
        {
            self.start_plan(index, plan)?;
        }
        self.sign(index).await?;
        self.broadcast(index, height).await?;
        self.complete(index, height).await
    }

    /// Stops the work on an asset: nothing is due, or nothing can be made.
    fn stop_work(&mut self, index: usize, why: &PlanError) {
        let work = &mut self.work[index];
        work.current = None;
        work.statements.clear();
        work.problem = match why {
            PlanError::NothingDue { .. } => None,
            why => {
                let text = why.to_string();
                if self.throttle.passes("reissuance", &text) {
                    tracing::warn!(problem = text, "reissuance impossible");
                }
                Some(text)
            }
        };
    }

    /// Begins to work on a plan, and takes the signatures that others have sent for it already.
    fn start_plan(&mut self, index: usize, plan: Plan) -> Result<(), StepError> {
        let Some(settings) = self.ledger.settings().get(index) else {
            return Ok(());
        };
        let unsigned = plan.unsigned(self.ledger.chain(), settings.tokens())?;
        let id = unsigned.id();
        tracing::info!(
            asset = %plan.asset, point = %plan.point, amount = plan.amount, circulation = plan.circulation, %id,
            "reissuance due"
        );
        self.work[index].current = Some(Current {
            plan,
            id,
            collection: Collection::new(unsigned),
            own: None,
            sent_at: None,
        });
        let statements = self.work[index].statements.clone();
        for (sender, statement) in statements {
            self.add_statement(index, sender, &statement);
        }
        Ok(())
    }

    /// Signs the current transaction after recording durably that it will be signed.
    async fn sign(&mut self, index: usize) -> Result<(), StepError> {
        let Some(current) = &self.work[index].current else {
            return Ok(());
        };
        if current.own.is_some() {
            return Ok(());
        }
        let asked = Signed {
            txid: current.id,
            token: current.plan.tokens,
        };
        let key = record_key(&current.plan);
        let found = self.store.signed(&key)?;
        let earlier: SignedForPoint = match found {
            Some(bytes) => postcard::from_bytes(&bytes).map_err(|_| StepError::Record)?,
            None => SignedForPoint::default(),
        };
        let ledger = &self.ledger;
        let record = earlier.with(asked, |outpoint| ledger.has_spent(index, outpoint))?;
        let bytes = postcard::to_stdvec(&record).map_err(|_| StepError::Record)?;
        let digests = current.collection.unsigned().digests();
        let store = self.store.clone();
        on_disk(self.parts.calls.tasks(), move || {
            store.write_signed(&key, &bytes)
        })
        .await?;
        let mut signatures: Vec<ecdsa::Signature> = Vec::new();
        for digest in digests {
            let spender = self.spender.clone();
            let call = async move { spender.sign_spend(digest).await };
            signatures.push(self.parts.calls.run(Part::ReissuanceKey, call).await??);
        }
        let own = PartialSignatures {
            key: self.spender.public_key(),
            signatures,
        };
        if let Some(current) = &mut self.work[index].current {
            current.collection.add(&own)?;
            current.own = Some(own);
        }
        Ok(())
    }

    /// Broadcasts plan and signatures.
    async fn broadcast(&self, index: usize, tip: BlockHeight) -> Result<(), StepError> {
        let Some(current) = &self.work[index].current else {
            return Ok(());
        };
        let Some(own) = &current.own else {
            return Ok(());
        };
        let statement = Statement {
            plan: current.plan.clone(),
            id: current.id,
            signatures: own.clone(),
        };
        let parts = MessageParts {
            kind: REISSUANCE,
            // The height that everybody works on, so that old statements are not relayed forever.
            height: tip.next(),
            round: Round::FIRST,
            payload: statement.encode().into(),
        };
        Ok(self.parts.broadcaster.broadcast(&parts).await?)
    }

    /// Hands the transaction to the node if it has enough signatures.
    async fn complete(&mut self, index: usize, tip: BlockHeight) -> Result<(), StepError> {
        let Some(current) = &mut self.work[index].current else {
            return Ok(());
        };
        if current.sent_at == Some(tip) {
            return Ok(());
        }
        let Some(transaction) = current.collection.complete() else {
            return Ok(());
        };
        let txid = transaction.txid();
        match self.node.send_transaction(&serialize(&transaction)).await {
            Ok(_) => {
                if current.sent_at.is_none() {
                    tracing::info!(%txid, point = %current.plan.point, "reissuance complete and handed to the node");
                }
                current.sent_at = Some(tip);
                Ok(())
            }
            Err(error) if is_known(&error) => {
                current.sent_at = Some(tip);
                Ok(())
            }
            Err(error) => Err(StepError::Refused(txid, error)),
        }
    }

    /// Handles a statement of another operator.
    async fn on_message(&mut self, frame: &ReissuanceFrame) -> Result<(), StepError> {
        let name = self
            .parts
            .broadcaster
            .federation
            .name(frame.sender)
            .to_owned();
        let statement = match Statement::decode(&frame.payload) {
            Ok(statement) => statement,
            Err(error) => {
                if self.throttle.passes("reissuance statement", &name) {
                    tracing::warn!(from = name, %error, "malformed reissuance message");
                }
                return Ok(());
            }
        };
        let asset = statement.plan.asset;
        let is_asset = |settings: &AssetSettings| settings.asset() == asset;
        let Some(index) = self.ledger.settings().iter().position(is_asset) else {
            let ours: Vec<_> = self
                .ledger
                .settings()
                .iter()
                .map(AssetSettings::asset)
                .collect();
            self.differences.is_foreign(frame.sender, asset, &ours);
            if self
                .throttle
                .passes("reissuance asset", &format!("{name}{asset}"))
            {
                tracing::warn!(from = name, %asset, "operator reissues an asset that is not in this operator's federation.toml");
            }
            return Ok(());
        };
        self.add_statement(index, frame.sender, &statement);
        self.work[index].statements.insert(frame.sender, statement);
        let tip = self.ledger.tip().map_or(BlockHeight::GENESIS, |tip| tip.0);
        let completed = self.complete(index, tip).await;
        self.publish_status();
        completed
    }

    /// Takes another operator's signatures, or logs why not.
    fn add_statement(&mut self, index: usize, sender: OperatorId, statement: &Statement) {
        let name = self.parts.broadcaster.federation.name(sender);
        let asset = statement.plan.asset;
        let schedule = self
            .ledger
            .settings()
            .get(index)
            .map(AssetSettings::schedule);
        let point = statement.plan.point.height();
        if schedule.is_some_and(|schedule| schedule.point_at(point).is_none()) {
            let how = format!(
                "it pays for height {point}, which is not a point of this operator's schedule"
            );
            self.differences.differs(sender, asset, &how);
        }
        let Some(current) = &mut self.work[index].current else {
            return;
        };
        if statement.id != current.id {
            if statement.plan.point < current.plan.point {
                // The sender has not seen the last payment yet.
                return;
            }
            let differences: Vec<String> = current
                .plan
                .differences(&statement.plan)
                .iter()
                .map(ToString::to_string)
                .collect();
            let line = differences.join("; ");
            if statement.plan.point == current.plan.point {
                self.differences.differs(sender, asset, &line);
            }
            if self
                .throttle
                .passes("reissuance plan", &format!("{name}{line}"))
            {
                tracing::warn!(
                    from = name,
                    differences = line,
                    "operator plans a different reissuance"
                );
            }
            return;
        }
        self.differences.agrees(sender, asset);
        if let Err(error) = current.collection.add(&statement.signatures)
            && self
                .throttle
                .passes("reissuance signature", &format!("{name}{error}"))
        {
            tracing::warn!(from = name, %error, "signatures for a reissuance refused");
        }
    }

    /// Publishes the status of all assets.
    fn publish_status(&self) {
        let all = self
            .ledger
            .settings()
            .iter()
            .zip(&self.work)
            .enumerate()
            .map(|(index, (settings, work))| AssetStatus {
                asset: settings.asset(),
                circulation: self.ledger.circulation(index).unwrap_or_default(),
                due: work.current.as_ref().map(|current| DueStatus {
                    point: current.plan.point.height(),
                    amount: current.plan.amount,
                    signatures: current.collection.count(),
                    needed: usize::from(settings.tokens().multisig().threshold().to_u8()),
                }),
                paid: work.paid,
                problem: work.problem.clone(),
            })
            .collect();
        self.parts.status.send_replace(all);
    }
}

/// Logs the ledger's events, and keeps the last payments.
struct LedgerLog<'a> {
    settings: Vec<AssetSettings>,
    work: &'a mut [AssetWork],
    events: &'a broadcast::Sender<OperatorEvent>,
}

impl Reading for LedgerLog<'_> {
    fn on_event(&mut self, height: BlockHeight, index: usize, event: &LedgerEvent) {
        let Some(asset) = self.settings.get(index).map(AssetSettings::asset) else {
            return;
        };
        match *event {
            LedgerEvent::Paid {
                point,
                scheduled,
                amount,
                in_order,
                txid,
            } => {
                if !event.is_difference() {
                    tracing::info!(%asset, %point, amount, %txid, %height, "reissued");
                } else {
                    tracing::error!(%asset, %point, scheduled, amount, in_order, %txid, %height, "reissued differently than scheduled");
                }
                self.work[index].paid = Some((point.height(), txid));
                // Nobody may be listening.
                let _ = self.events.send(OperatorEvent::Reissued {
                    asset,
                    point: point.height(),
                    amount,
                    txid,
                });
            }
            LedgerEvent::Unscheduled { amount, txid } => {
                tracing::warn!(%asset, amount, %txid, %height, "unscheduled reissuance");
            }
            LedgerEvent::Uncountable(why) => {
                tracing::error!(%asset, %height, %why, "asset can no longer be reissued");
            }
            LedgerEvent::Untracked {
                kind: what,
                limit: most,
                total,
            } => {
                tracing::warn!(%asset, %height, most, total, "the chain has more {what} than are kept: the rest is not used");
            }
            LedgerEvent::NoAmount { point, error } => {
                tracing::error!(%asset, %point, %error, "asset can no longer be reissued");
            }
            _ => {}
        }
    }

    fn on_progress(&mut self, height: BlockHeight, to: BlockHeight) {
        tracing::info!(%height, %to, "reading the chain for reissuances");
    }
}

/// Whether to write the ledger: at each new block while it is small, and now and then once it has
/// grown. It can always be read again from the chain, so storing it only saves time.
fn is_worth_writing(now: Option<BlockHeight>, stored: Option<BlockHeight>, bytes: usize) -> bool {
    let (Some(now), Some(stored)) = (now, stored) else {
        return now != stored;
    };
    let apart = now.to_u32().abs_diff(stored.to_u32());
    apart > 0 && (bytes <= SMALL_LEDGER || now < stored || apart >= WRITE_INTERVAL)
}

/// Loads the stored ledger, or creates a new one if the stored one cannot be used.
fn restore(
    store: &ReissuanceStore,
    chain: Chain,
    assets: Vec<AssetSettings>,
) -> Result<Ledger, StoreError> {
    let Some(bytes) = store.ledger()? else {
        return Ok(Ledger::new(chain, assets));
    };
    match Ledger::from_bytes(&bytes, chain, assets.clone()) {
        Ok(ledger) => Ok(ledger),
        Err(why) => {
            tracing::info!(%why, "reading the chain again from its beginning for reissuances");
            Ok(Ledger::new(chain, assets))
        }
    }
}

/// Returns the store's key for what was signed for an asset and point.
fn record_key(plan: &Plan) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(&plan.asset.to_byte_array());
    key[32..].copy_from_slice(&plan.point.height().to_u32().to_be_bytes());
    key
}

/// Whether the error means that the node has the transaction already, in its mempool or in a block.
fn is_known(error: &RpcError) -> bool {
    let text = error.to_string();
    [
        "already in block chain",
        "already-in-mempool",
        "already-known",
        "txn-already",
        "mempool-conflict",
    ]
    .iter()
    .any(|known| text.contains(known))
}
