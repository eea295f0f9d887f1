//! The whole federation.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use federation_chain::{BlockHeight, Dialect, SigningRules};
use federation_messenger::Messenger;
use federation_messenger_kafka::mock::MockBrokers;
use federation_messenger_zmq::Endpoint;
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::NodeClient;
use federation_operator::{
    Operator, OperatorHandle, Options, RedbGuardStore, Reissuance, ReissuanceNode, ReissuanceStore,
    Store,
};
use federation_reissuance::{AssetSettings, ScriptKind, TokenScript};
use federation_roster::{Federation, Member};
use federation_signer::{
    GuardedSigner, IdentitySigner, Secret, Signer, SoftwareIdentity, SoftwareSigner,
    SoftwareSpender, SpendSigner,
};
use tempfile::TempDir;

use crate::{
    HeldPorts, LocalConfig, LocalError, LocalNode, Substitutes, keys,
    wire::{Wire, id},
};

/// How often to check a condition while waiting for it.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long messengers may take to connect before the operators are started anyway.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A node that operators use for reissuances instead of their own.
struct NodeOverride(Arc<dyn ReissuanceNode>);

impl core::fmt::Debug for NodeOverride {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NodeOverride")
    }
}

/// N nodes and N operators in one process.
#[derive(Debug)]
pub struct LocalFederation {
    config: LocalConfig,
    federation: Arc<Federation>,
    nodes: Vec<Arc<LocalNode>>,
    /// The client of each operator's node.
    clients: Vec<NodeClient>,
    operators: Vec<Option<OperatorHandle>>,
    /// Which operators were started before, so that their keys are no longer new.
    started: Vec<bool>,
    wire: Wire,
    folder: PathBuf,
    reissued: Vec<AssetSettings>,
    reissuance_node: Option<NodeOverride>,
    substitutes: BTreeMap<usize, Substitutes>,
    /// The temporary folder, removed when the federation is dropped.
    _temporary: Option<TempDir>,
    /// The ports of the nodes and the messengers.
    _ports: HeldPorts,
}

impl core::fmt::Debug for Wire {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Wire")
    }
}

impl LocalFederation {
    /// Starts all nodes, and all operators except the absent ones.
    ///
    /// # Errors
    /// If the configuration does not make a federation, or something does not start.
    pub async fn start(config: LocalConfig) -> Result<Self, LocalError> {
        let (folder, temporary) = match &config.folder {
            Some(folder) => (folder.clone(), None),
            None => {
                let temporary = tempfile::tempdir().map_err(|source| LocalError::System {
                    path: std::env::temp_dir(),
                    source,
                })?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let count = config.operators;
        let block_keys = (0..count)
            .map(|i| keys::block_key(i).public_key())
            .collect();
        let threshold = Threshold::new(config.threshold)?;
        let script = MultisigScript::new(threshold, block_keys, KeyOrder::AsGiven)?;
        let size = SigningRules::required_signature_size(config.dialect, &script);
        let rules = SigningRules::new(config.dialect, script, size)?;

        let held = HeldPorts::hold(u16::from(count) * 3)?;
        let ports: Vec<u16> = held.range().collect();
        let (zmq_ports, node_ports) = ports.split_at(usize::from(count));
        let node_ports: Vec<(u16, u16)> = node_ports
            .chunks(2)
            .map(|pair| (pair[0], pair[1]))
            .collect();
        let starting = (0..usize::from(count)).map(|index| {
            let (config, rules, node_ports) = (config.clone(), rules.clone(), node_ports.clone());
            let folder = operator_folder(&folder, index);
            tokio::spawn(async move {
                LocalNode::spawn(&config, &rules, &folder, &node_ports, index).await
            })
        });
        let mut nodes = Vec::new();
        for task in starting.collect::<Vec<_>>() {
            let node = task.await.map_err(|error| LocalError::System {
                path: PathBuf::from("a node's task"),
                source: std::io::Error::other(error),
            })??;
            nodes.push(Arc::new(node));
        }
        for (index, node) in nodes.iter().enumerate() {
            for other in &nodes[..index] {
                node.connect(other);
            }
        }
        let genesis = nodes[0].hash_at(BlockHeight::GENESIS).await?;
        let endpoints: Vec<Endpoint> = zmq_ports.iter().map(|port| loopback(*port)).collect();
        let roster = (0..count)
            .map(|index| Member {
                name: name(index),
                identity: keys::identity_key(index).x_only_public_key(),
                block_key: keys::block_key(index).public_key(),
                endpoint: endpoints[usize::from(index)].to_string(),
            })
            .collect();
        let federation = Arc::new(Federation::new(roster, rules, genesis, config.interval)?);
        let mut local = Self {
            wire: Wire::new(&config, federation.id(), endpoints)?,
            operators: (0..count).map(|_| None).collect(),
            started: vec![false; usize::from(count)],
            federation,
            clients: nodes.iter().map(|node| node.client().clone()).collect(),
            nodes,
            folder,
            reissued: Vec::new(),
            reissuance_node: None,
            substitutes: BTreeMap::new(),
            _temporary: temporary,
            _ports: held,
            config,
        };
        local.start_operators().await?;
        Ok(local)
    }

    /// Starts all operators except the absent ones once their messengers are connected; otherwise nobody
    /// would receive the first leader's messages.
    async fn start_operators(&mut self) -> Result<(), LocalError> {
        let mut messengers = Vec::new();
        for index in 0..self.operators.len() {
            if !self.config.absent.contains(&index) {
                messengers.push((index, self.wire.join(index).await?));
            }
        }
        let links = messengers.len().saturating_sub(1) * self.wire.links_to_a_peer();
        let are_connected = || {
            messengers.iter().all(|(_, messenger)| {
                let peers = messenger.stats().peers;
                peers.iter().filter(|peer| peer.connected).count() >= links
            })
        };
        let deadline = tokio::time::Instant::now() + CONNECT_LIMIT;
        while !are_connected() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        for (index, messenger) in messengers {
            let folder = operator_folder(&self.folder, index).join("store");
            self.operators[index] = Some(self.launch(index, index, &folder, messenger).await?);
            self.started[index] = true;
        }
        Ok(())
    }

    /// Starts an operator with the state of its store.
    ///
    /// # Errors
    /// If it is running already, or does not start.
    pub async fn start_operator(&mut self, index: usize) -> Result<(), LocalError> {
        if self.operators[index].is_some() {
            return Err(LocalError::Running(index));
        }
        let folder = operator_folder(&self.folder, index).join("store");
        let messenger = self.wire.join(index).await?;
        self.operators[index] = Some(self.launch(index, index, &folder, messenger).await?);
        self.started[index] = true;
        Ok(())
    }

    /// Starts a second daemon with the keys of an operator, another operator's node, and a separate store
    /// in this folder, which must never be done in production. If the chain has blocks, a twin with an
    /// empty store starts as an observer.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_twin(
        &self,
        index: usize,
        node: usize,
        folder: &Path,
    ) -> Result<OperatorHandle, LocalError> {
        let messenger = self.wire.join_twin(index).await?;
        self.launch(index, node, folder, messenger).await
    }

    async fn launch(
        &self,
        index: usize,
        node: usize,
        folder: &Path,
        messenger: Arc<dyn Messenger>,
    ) -> Result<OperatorHandle, LocalError> {
        let me = id(index);
        let store = Store::open(folder, self.federation.id(), me)?;
        let block_key = keys::block_key(me.to_u8());
        let genesis = self.federation.genesis();
        let guard = RedbGuardStore::open(folder, &block_key.public_key(), genesis)?;
        let guard_is_new = guard.is_new();
        let substitutes = self.substitutes.get(&index).cloned().unwrap_or_default();
        let signer: Box<dyn Signer> = match substitutes.signer {
            Some(signer) => Box::new(signer),
            None => Box::new(SoftwareSigner::new(block_key)),
        };
        let identity: Box<dyn IdentitySigner> = match substitutes.identity {
            Some(identity) => Box::new(identity),
            None => Box::new(SoftwareIdentity::new(keys::identity_key(me.to_u8()))),
        };
        let messenger = match substitutes.messenger {
            Some(wrap) => wrap(messenger),
            None => messenger,
        };
        let mut options = self.config.options.clone();
        if !self.started[index] && options.new_key_until.is_none() {
            // This chain is new, and so are all its keys that were not used yet.
            options.new_key_until = Some(BlockHeight::new(u32::MAX));
        }
        let operator = Operator::new(
            self.federation.clone(),
            me,
            Arc::new(self.clients[node].clone()),
            GuardedSigner::new(signer, guard)?,
            identity,
            messenger,
            store,
        )
        .with_new_guard(guard_is_new)
        .with_options(options);
        let operator = match substitutes.policy {
            Some(policy) => operator.with_policy(policy),
            None => operator,
        };
        let operator = match self.reissuance(index, node, folder)? {
            Some(reissuance) => operator.with_reissuance(reissuance),
            None => operator,
        };
        Ok(operator.start().await?)
    }

    fn reissuance(
        &self,
        index: usize,
        node: usize,
        folder: &Path,
    ) -> Result<Option<Reissuance>, LocalError> {
        if self.reissued.is_empty() {
            return Ok(None);
        }
        let me = id(index);
        let store = ReissuanceStore::open(folder, self.federation.id(), me)?;
        let substitute = self.substitutes.get(&index).cloned().unwrap_or_default();
        let spender: Arc<dyn SpendSigner> = match substitute.spender {
            Some(spender) => spender,
            None => Arc::new(SoftwareSpender::new(keys::reissuance_key(me.to_u8()))),
        };
        let node: Arc<dyn ReissuanceNode> = match &self.reissuance_node {
            Some(NodeOverride(node)) => node.clone(),
            None => Arc::new(self.clients[node].clone()),
        };
        Ok(Some(Reissuance::new(
            self.reissued.clone(),
            spender,
            node,
            store,
        )?))
    }

    /// Returns the M-of-N script of the operators' reissuance keys, in the form that the chain's dialect
    /// uses for tokens.
    ///
    /// # Errors
    /// If it is too long for that form.
    pub fn token_script(&self) -> Result<TokenScript, LocalError> {
        let keys = (0..self.config.operators)
            .map(|index| keys::reissuance_key(index).public_key())
            .collect();
        let threshold = Threshold::new(self.config.threshold)?;
        let script = MultisigScript::new(threshold, keys, KeyOrder::AsGiven)?;
        let kind = match self.config.dialect {
            Dialect::Ocean => ScriptKind::P2sh,
            Dialect::Elements | Dialect::Dynafed => ScriptKind::P2wsh,
        };
        Ok(TokenScript::new(script, kind)?)
    }

    /// Returns an operator's secret block key, for running it with another protocol.
    #[must_use]
    pub fn block_key(&self, index: usize) -> Secret {
        keys::block_key(id(index).to_u8())
    }

    /// Returns an operator's secret reissuance key, for simulating a faulty operator.
    #[must_use]
    pub fn reissuance_key(&self, index: usize) -> Secret {
        keys::reissuance_key(id(index).to_u8())
    }

    /// Returns the folder of an operator's store.
    #[must_use]
    pub fn store_folder(&self, index: usize) -> PathBuf {
        operator_folder(&self.folder, index).join("store")
    }

    /// Sets the assets reissued by operators that are started from now on.
    pub fn set_reissuance(&mut self, assets: Vec<AssetSettings>) {
        self.reissued = assets;
    }

    /// Sets the node that operators started from now on use for reissuances instead of their own, for
    /// example one that lies.
    pub fn set_reissuance_node(&mut self, node: Option<Arc<dyn ReissuanceNode>>) {
        self.reissuance_node = node.map(NodeOverride);
    }

    /// Sets the client by which an operator reaches its node from its next start on, for example to put a
    /// proxy between the two.
    pub fn set_client(&mut self, index: usize, client: NodeClient) {
        self.clients[index] = client;
    }

    /// Sets parts that replace an operator's own from its next start on.
    pub fn set_substitutes(&mut self, index: usize, substitutes: Substitutes) {
        self.substitutes.insert(index, substitutes);
    }

    /// Returns an operator's secret identity key, for holding it elsewhere than in memory.
    #[must_use]
    pub fn identity_key(&self, index: usize) -> Secret {
        keys::identity_key(id(index).to_u8())
    }

    /// Takes the handle of a running operator, for stopping it by hand.
    #[must_use]
    pub fn take_operator(&mut self, index: usize) -> Option<OperatorHandle> {
        self.operators[index].take()
    }

    /// Sets the options of operators started from now on.
    pub fn set_options(&mut self, options: Options) {
        self.config.options = options;
    }

    /// Returns a messenger and the identity of an operator that is not running, for simulating it: as a
    /// liar, a flood, or an operator of another kind.
    ///
    /// # Errors
    /// If it is running, or its messenger does not start.
    pub async fn impersonate(
        &mut self,
        index: usize,
    ) -> Result<(Arc<dyn Messenger>, SoftwareIdentity), LocalError> {
        if self.operators[index].is_some() {
            return Err(LocalError::Running(index));
        }
        let identity = SoftwareIdentity::new(keys::identity_key(id(index).to_u8()));
        Ok((self.wire.join(index).await?, identity))
    }

    /// Stops an operator cleanly; does nothing if it is not running.
    ///
    /// # Errors
    /// If it had already stopped by itself, the reason.
    pub async fn stop_operator(&mut self, index: usize) -> Result<(), LocalError> {
        if let Some(handle) = self.operators[index].take() {
            handle.shutdown().await?;
            self.wire.leave(index);
        }
        Ok(())
    }

    /// Stops an operator as a crash would; does nothing if it is not running.
    pub async fn kill_operator(&mut self, index: usize) {
        if let Some(handle) = self.operators[index].take() {
            handle.kill().await;
            self.wire.leave(index);
        }
    }

    /// Delays all links of an operator in both directions, if the operators use the in-memory hub.
    pub fn delay(&self, index: usize, delay: Duration) {
        for other in 0..self.operators.len() {
            self.wire.delay(index, other, delay);
        }
    }

    /// Returns a running operator.
    #[must_use]
    pub fn operator(&self, index: usize) -> Option<&OperatorHandle> {
        self.operators[index].as_ref()
    }

    /// Returns a running operator, for waiting until it ends.
    #[must_use]
    pub fn operator_mut(&mut self, index: usize) -> Option<&mut OperatorHandle> {
        self.operators[index].as_mut()
    }

    /// Returns an operator's node.
    #[must_use]
    pub fn node(&self, index: usize) -> &Arc<LocalNode> {
        &self.nodes[index]
    }

    /// Returns the roster and the chain.
    #[must_use]
    pub const fn federation(&self) -> &Arc<Federation> {
        &self.federation
    }

    /// Returns the mock brokers, if the operators use them, for taking them down and up.
    #[must_use]
    pub fn brokers(&self) -> Option<&MockBrokers> {
        self.wire.brokers()
    }

    /// Cuts the link between two operators in both directions.
    ///
    /// # Errors
    /// If they have no links, as over Kafka.
    pub fn cut(&mut self, a: usize, b: usize) -> Result<(), LocalError> {
        self.wire.cut(a, b)
    }

    /// Restores the link between two operators.
    ///
    /// # Errors
    /// If the messenger can no longer connect.
    pub fn heal(&mut self, a: usize, b: usize) -> Result<(), LocalError> {
        self.wire.heal(a, b)
    }

    /// Waits until every node has a block at this height.
    ///
    /// # Errors
    /// If it takes longer than the limit.
    pub async fn wait_for_height(&self, height: u32, limit: Duration) -> Result<(), LocalError> {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.wait_for_height_at(&all, height, limit).await
    }

    /// Waits until the nodes with these indices have a block at this height.
    ///
    /// # Errors
    /// If it takes longer than the limit.
    pub async fn wait_for_height_at(
        &self,
        indices: &[usize],
        height: u32,
        limit: Duration,
    ) -> Result<(), LocalError> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let mut reached = Vec::new();
            for index in indices {
                reached.push(self.nodes[*index].tip().await?.0.to_u32());
            }
            if reached.iter().all(|at| *at >= height) {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return Err(LocalError::Height {
                    wanted: height,
                    reached,
                    operators: self.describe(),
                });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Describes the status of each operator, for investigating a failure.
    #[must_use]
    pub fn describe(&self) -> String {
        let operators = self.operators.iter().enumerate();
        let described = operators.map(|(index, operator)| match operator {
            None => format!("operator {index} is not running"),
            Some(handle) => {
                let status = handle.status();
                let state = if status.has_changed().is_err() {
                    "has ended"
                } else {
                    "is running"
                };
                format!("operator {index} {state}: {:?}", *status.borrow())
            }
        });
        described.collect::<Vec<_>>().join("; ")
    }

    /// Checks that all nodes have the same blocks up to their lowest tip. Returns that height.
    ///
    /// # Errors
    /// If two differ at a height.
    pub async fn check_one_chain(&self) -> Result<u32, LocalError> {
        let mut common = u32::MAX;
        for node in &self.nodes {
            common = common.min(node.tip().await?.0.to_u32());
        }
        for height in 0..=common {
            let at = BlockHeight::new(height);
            let first = self.nodes[0].hash_at(at).await?;
            for node in &self.nodes[1..] {
                if node.hash_at(at).await? != first {
                    return Err(LocalError::Fork(height));
                }
            }
        }
        Ok(common)
    }

    /// Stops everything.
    pub async fn stop(mut self) {
        for index in 0..self.operators.len() {
            if let Err(error) = self.stop_operator(index).await {
                tracing::warn!(%error, index, "operator had stopped by itself");
            }
        }
        let stopping: Vec<_> = self
            .nodes
            .iter()
            .cloned()
            .map(|node| tokio::spawn(async move { node.stop().await }))
            .collect();
        for task in stopping {
            // A task that panicked has stopped as well.
            let _ = task.await;
        }
    }
}

/// Returns an operator's name: a Greek letter for the first ones, a number for the rest.
fn name(index: u8) -> String {
    const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
    NAMES
        .get(usize::from(index))
        .map_or_else(|| format!("op{}", index + 1), |name| (*name).to_owned())
}

fn operator_folder(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("operator-{index}"))
}

fn loopback(port: u16) -> Endpoint {
    std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()
}
