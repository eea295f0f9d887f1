//! A running node: state, RPC, relay, and the hooks with which tests make it misbehave.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use elements::{Transaction, encode::serialize};
use federation_chain::{Block, BlockHash, BlockHeight, SigningRules, UnixTime};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    DevNodeConfig, DevNodeError,
    error::Invalid,
    genesis::{self, Genesis},
    ledger::Ledger,
    mempool::Mempool,
    relay::{self, Gossip},
    rpc,
    store::BlockStore,
    template,
    wallet::Wallet,
};

/// How many relayed items a slow peer may lag behind before it has to request blocks.
const GOSSIP: usize = 256;
/// Limit on the transactions in a template, in bytes.
const MAX_BLOCK: usize = 4_000_000;

/// The state shared by all parts of a node.
pub(crate) struct Shared {
    pub(crate) config: DevNodeConfig,
    state: Mutex<State>,
    pub(crate) gossip: broadcast::Sender<Gossip>,
    store: Option<BlockStore>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) hooks: Hooks,
    pub(crate) p2p: SocketAddr,
    pub(crate) started: std::time::Instant,
}

/// The mutable state.
pub(crate) struct State {
    pub(crate) ledger: Ledger,
    pub(crate) mempool: Mempool,
    pub(crate) wallet: Wallet,
    /// Keys of `importprivkey`, for `signblock`.
    pub(crate) block_keys: Vec<secp256k1::SecretKey>,
    pub(crate) wallets: Vec<String>,
    pub(crate) peers: usize,
}

/// The ways in which tests make a node misbehave.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) unavailable: AtomicBool,
    pub(crate) warming_up: AtomicBool,
    pub(crate) delay_ms: AtomicU64,
    clock_offset: AtomicI64,
    pub(crate) isolated: AtomicBool,
}

/// The outcome of an acceptable block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accepted {
    New,
    Duplicate,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // No change of the state is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> UnixTime {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let offset = self.hooks.clock_offset.load(Ordering::Relaxed);
        let secs = since.as_secs().saturating_add_signed(offset);
        UnixTime::from_secs(secs)
    }

    /// Appends a complete block to the chain and relays it to the peers.
    pub(crate) fn accept(&self, block: Block) -> Result<Accepted, Invalid> {
        let now = self.now();
        let mut state = self.state();
        if state.ledger.find(&block.block_hash()).is_some() {
            return Ok(Accepted::Duplicate);
        }
        let checked = state.ledger.check(&block, now)?;
        state.ledger.connect(block.clone(), &checked)?;
        let State {
            ledger, mempool, ..
        } = &mut *state;
        mempool.refresh(ledger);
        if let Some(store) = &self.store
            && let Err(error) = store.append(block.height().to_u32(), block.as_bytes())
        {
            tracing::error!(%error, "block not stored");
        }
        drop(state);
        // There may be no peers.
        let _ = self.gossip.send(Gossip::Block(block.as_bytes().clone()));
        Ok(Accepted::New)
    }

    /// Adds a transaction to the mempool and relays it to the peers.
    pub(crate) fn accept_transaction(&self, transaction: Transaction) -> Result<bool, Invalid> {
        let bytes = Bytes::from(serialize(&transaction));
        let mut state = self.state();
        let State {
            ledger, mempool, ..
        } = &mut *state;
        let new = mempool.add(ledger, transaction)?;
        drop(state);
        if new {
            // There may be no peers.
            let _ = self.gossip.send(Gossip::Transaction(bytes));
        }
        Ok(new)
    }

    pub(crate) fn template(&self) -> Block {
        let now = self.now();
        let state = self.state();
        let transactions = state.mempool.select(MAX_BLOCK);
        template::make(&state.ledger, transactions, now)
    }
}

/// A running devnet node. Dropping it stops it.
pub struct DevNode {
    shared: Arc<Shared>,
    rpc: SocketAddr,
}

impl DevNode {
    /// Starts a node.
    ///
    /// # Errors
    /// If a port is not available, or the stored chain is another one.
    pub async fn spawn(config: DevNodeConfig) -> Result<Self, DevNodeError> {
        let rules = SigningRules::new(
            config.dialect,
            config.script.clone(),
            config.max_signature_size,
        )?;
        let genesis = first_block(&config)?;
        let store = config.folder.as_deref().map(BlockStore::open).transpose()?;
        let mut ledger = Ledger::new(rules, config.epoch_length, genesis);
        if let Some(store) = &store {
            replay(&mut ledger, store)?;
        }
        let rpc_listener = listen(config.rpc_listen).await?;
        let p2p_listener = listen(config.p2p_listen).await?;
        let address = |listener: &TcpListener| {
            listener
                .local_addr()
                .map_err(|source| DevNodeError::Listen {
                    address: config.rpc_listen.to_string(),
                    source,
                })
        };
        let (rpc, p2p) = (address(&rpc_listener)?, address(&p2p_listener)?);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                ledger,
                mempool: Mempool::default(),
                wallet: Wallet::new(config.dialect),
                block_keys: Vec::new(),
                wallets: Vec::new(),
                peers: 0,
            }),
            config,
            gossip: broadcast::channel(GOSSIP).0,
            store,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            hooks: Hooks::default(),
            p2p,
            started: std::time::Instant::now(),
        });
        shared.tasks.spawn(rpc::serve(shared.clone(), rpc_listener));
        shared
            .tasks
            .spawn(relay::listen(shared.clone(), p2p_listener));
        Ok(Self { shared, rpc })
    }

    /// Returns the URL of its RPC.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.rpc)
    }

    /// Returns the user and password of its RPC.
    #[must_use]
    pub fn rpc_credentials(&self) -> (&str, &str) {
        (&self.shared.config.user, &self.shared.config.password)
    }

    /// Returns the address for other devnet nodes.
    #[must_use]
    pub fn p2p_address(&self) -> SocketAddr {
        self.shared.p2p
    }

    /// Connects to another devnet node, and reconnects whenever the connection is lost.
    pub fn connect(&self, peer: SocketAddr) {
        let task = relay::connect(self.shared.clone(), peer);
        self.shared.tasks.spawn(task);
    }

    /// Returns the height and the hash of its best block.
    #[must_use]
    pub fn tip(&self) -> (BlockHeight, BlockHash) {
        let state = self.shared.state();
        (state.ledger.height(), state.ledger.tip().block_hash())
    }

    /// Returns the block at a height.
    #[must_use]
    pub fn block(&self, height: BlockHeight) -> Option<Block> {
        let state = self.shared.state();
        state.ledger.at(height.to_u32() as usize).cloned()
    }

    /// Returns the hash of its genesis block.
    #[must_use]
    pub fn genesis_hash(&self) -> BlockHash {
        let state = self.shared.state();
        state
            .ledger
            .at(0)
            .map_or_else(|| state.ledger.tip().block_hash(), Block::block_hash)
    }

    /// Makes the RPC answer 503 to every request, or ends that.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.shared
            .hooks
            .unavailable
            .store(unavailable, Ordering::Relaxed);
    }

    /// Makes the RPC answer that the node is warming up, or ends that.
    pub fn set_warming_up(&self, warming_up: bool) {
        self.shared
            .hooks
            .warming_up
            .store(warming_up, Ordering::Relaxed);
    }

    /// Delays every RPC response by this much.
    pub fn set_rpc_delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.hooks.delay_ms.store(millis, Ordering::Relaxed);
    }

    /// Sets the node's clock ahead by this many seconds, or behind if negative.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.shared
            .hooks
            .clock_offset
            .store(seconds, Ordering::Relaxed);
    }

    /// Isolates the node from its peers, or reconnects it.
    pub fn set_isolated(&self, isolated: bool) {
        self.shared
            .hooks
            .isolated
            .store(isolated, Ordering::Relaxed);
        if isolated {
            // This makes connections to peers close.
            let _ = self.shared.gossip.send(Gossip::Leave);
        }
    }

    /// Stops the node and waits until it has released its ports and files.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for DevNode {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl core::fmt::Debug for DevNode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DevNode")
            .field("rpc", &self.rpc)
            .field("tip", &self.tip())
            .finish_non_exhaustive()
    }
}

fn first_block(config: &DevNodeConfig) -> Result<Genesis, DevNodeError> {
    match &config.genesis {
        None => genesis::make(config),
        Some((bytes, asset)) => Ok(Genesis {
            block: Block::decode(config.dialect, bytes.clone())
                .map_err(|error| DevNodeError::Replay(error.to_string()))?,
            pegged_asset: elements::AssetId::from_byte_array(*asset),
        }),
    }
}

fn replay(ledger: &mut Ledger, store: &BlockStore) -> Result<(), DevNodeError> {
    let far = UnixTime::from_secs(u64::from(u32::MAX));
    for bytes in store.blocks()? {
        let invalid = |reason: &dyn core::fmt::Display| DevNodeError::Replay(reason.to_string());
        let block = Block::decode(ledger.rules().dialect(), bytes).map_err(|e| invalid(&e))?;
        let checked = ledger.check(&block, far).map_err(|e| invalid(&e))?;
        ledger.connect(block, &checked).map_err(|e| invalid(&e))?;
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, DevNodeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| DevNodeError::Listen {
            address: address.to_string(),
            source,
        })
}
