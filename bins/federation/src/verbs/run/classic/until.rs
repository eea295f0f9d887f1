//! Running the classic protocol until the height at which the federation switches to `agreed`.
//!
//! The records are handed over in an order that survives a crash: first the store and the guard of
//! `agreed` record that everything below is final, then the classic guard is closed permanently. After a
//! crash in between, the same steps are repeated.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use federation_block_signing::Record;
use federation_chain::{BlockHash, BlockHeight};
use federation_classic::{
    Config as ClassicConfig, GuardFile, KeySigner, Operator, RunOutcome, Schedule, TurnGuard,
    wire::{
        Wire, WireError,
        kafka::{KafkaConfig, KafkaWire},
        zmq::{ZmqConfig, ZmqWire},
    },
};
use federation_cli::{CliError, OrHelp, with_causes};
use federation_multisig::PublicKey;
use federation_ocean_rpc::{Node, NodeClient, RpcError};
use federation_operator::{
    RedbGuardStore, StartError, Store, check_chain_form,
    config::{Config, MessengerAccess},
    log_money_warnings,
};
use federation_signer::{GuardStore, Signer, SignerError};
use secp256k1::ecdsa;
use tokio_util::sync::CancellationToken;

use crate::{hints, messenger};

const PAUSE: Duration = Duration::from_secs(1);

/// The block key, lent to the classic protocol first.
#[derive(Clone)]
struct SharedSigner(Arc<dyn Signer>);

#[async_trait]
impl Signer for SharedSigner {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        self.0.sign_block(hash).await
    }

    async fn sign_full_block(
        &self,
        hash: BlockHash,
        block: &[u8],
    ) -> Result<ecdsa::Signature, SignerError> {
        self.0.sign_full_block(hash, block).await
    }
}

/// The outcome of the classic protocol.
pub(crate) struct ClassicOutcome {
    pub(crate) key: Box<dyn Signer>,
    /// Whether the store and the guard of `agreed` have recorded what is final.
    pub(crate) handed_over: bool,
}

impl ClassicOutcome {
    fn not_run(key: Box<dyn Signer>) -> Self {
        Self {
            key,
            handed_over: false,
        }
    }
}

/// Runs the classic protocol up to the height below `until`, unless that was done before; returns the
/// key.
pub(crate) async fn run_until(
    config: &Config,
    until: BlockHeight,
    node: &NodeClient,
    key: Box<dyn Signer>,
    store: &Store,
    guard: &mut RedbGuardStore,
) -> Result<ClassicOutcome, CliError> {
    let Some(last) = until.previous() else {
        return Ok(ClassicOutcome::not_run(key));
    };
    let help = hints::for_classic(until);
    let federation = &config.federation;
    let file = GuardFile::open(
        &config.store,
        federation.genesis(),
        config.me.to_u8().into(),
    )
    .or_help_for(hints::for_classic_guard)?;
    if file.state().agreed_from().is_some() {
        return Ok(ClassicOutcome::not_run(key));
    }
    let has_begun = !store.records().or_help(&help)?.is_empty();
    if file.is_new() && (has_begun || tip(node).await >= last) {
        // The switch happened before this operator joined, or its whole store was lost, or only the
        // classic guard: the usual checks at the start decide.
        tracing::info!(%until, "the chain is past the switch to `agreed`");
        return Ok(ClassicOutcome::not_run(key));
    }
    check_chain(config, node).await?;
    let key: Arc<dyn Signer> = Arc::from(key);
    let classic_guard = TurnGuard::new(file);
    let schedule = Schedule::new(federation.interval(), federation.size()).or_help(&help)?;
    let me = usize::from(config.me.to_u8());
    let wire = wire(config, me).await.or_help(&help)?;
    tracing::info!(%until, "running the classic protocol until the switch to `agreed`");
    let operator = Operator::new(
        ClassicConfig::new(federation.rules().clone(), schedule, me).until(until),
        Arc::new(node.clone()),
        wire,
        Arc::new(KeySigner::new(key.clone())),
        classic_guard.clone(),
    );
    // It is never stopped by the token, only dropped.
    let (RunOutcome::Reached | RunOutcome::Stopped) = operator
        .run(CancellationToken::new())
        .await
        .or_help(&help)?;
    store.write(&[Record::Final(last)], None).or_help(&help)?;
    guard.raise_final(last).or_help(&help)?;
    if let Some(signed) = classic_guard.state().last()
        && signed.height >= until
    {
        // Only if `classic_until` was lowered: the block signed there remains the only one.
        guard.record(signed.height, signed.hash).or_help(&help)?;
    }
    classic_guard.hand_over(until).await.or_help(&help)?;
    tracing::info!(%until, "switching to `agreed`");
    Ok(ClassicOutcome {
        key: Box::new(SharedSigner(key)),
        handed_over: true,
    })
}

/// Starts the classic wire: Kafka with the federation's brokers, or ZeroMQ between its endpoints.
async fn wire(config: &Config, me: usize) -> Result<Arc<dyn Wire>, WireError> {
    let operators = config.federation.members();
    if let Some(brokers) = &config.classic_kafka {
        let kafka = KafkaConfig::new(brokers, operators.len(), me)?;
        let (program, arguments) = messenger::kafka_client();
        return Ok(Arc::new(KafkaWire::start(kafka, program, arguments).await?));
    }
    let endpoints = operators.iter().map(|operator| &operator.endpoint);
    let mut zmq = ZmqConfig::new(endpoints, me)?;
    if let MessengerAccess::Zmq { listen, .. } = &config.messenger {
        zmq = zmq.with_listen(listen);
    }
    Ok(Arc::new(ZmqWire::bind(&zmq).await?))
}

/// Refuses a chain on which `agreed` would not start, and warns who can take its money: blocks signed
/// below the switch are final too.
async fn check_chain(config: &Config, node: &NodeClient) -> Result<(), CliError> {
    let dialect = config.federation.rules().dialect();
    let look = async || {
        let info = node.blockchain_info().await?;
        check_chain_form(node, dialect, &info).await
    };
    let mut warned = false;
    loop {
        match look().await {
            Ok(()) => break,
            // It is unreachable, or has not written its cookie file yet.
            Err(StartError::Node(error))
                if error.is_transient() || matches!(error, RpcError::Cookie { .. }) =>
            {
                if !core::mem::replace(&mut warned, true) {
                    tracing::warn!(%error, "waiting for the node");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                return Err(CliError::failure(
                    with_causes(&error),
                    hints::for_start(&error),
                ));
            }
        }
    }
    let certificate = config.certificate.as_deref();
    log_money_warnings(node, dialect, certificate, config.sweep.as_ref()).await;
    Ok(())
}

/// Returns the height of the node's tip, once it answers.
async fn tip(node: &NodeClient) -> BlockHeight {
    let mut warned = false;
    loop {
        match node.block_count().await {
            Ok(height) => return height,
            Err(error) => {
                if !core::mem::replace(&mut warned, true) {
                    tracing::warn!(%error, "waiting for the node");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
