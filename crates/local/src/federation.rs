//! The federation as a whole.

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
use federation_roster::{Federation, Operator as RosterEntry};
use federation_signer::{
    GuardedSigner, IdentitySigner, Secret, Signer, SoftwareIdentity, SoftwareSigner,
    SoftwareSpender, SpendSigner,
};
use tempfile::TempDir;

use crate::{
    HeldPorts, LocalConfig, LocalError, LocalNode, Substitutes, keys,
    wire::{Wire, id},
};

/// How often the nodes are asked while a height is waited for.
const ASK: Duration = Duration::from_millis(20);

/// How long operators may take to find each other before they are started all the same.
const CONNECTING: Duration = Duration::from_secs(5);

/// A node in place of operators' own.
struct ReissuedWith(Arc<dyn ReissuanceNode>);

impl core::fmt::Debug for ReissuedWith {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ReissuedWith")
    }
}

/// N nodes and N operators in one process.
#[derive(Debug)]
pub struct LocalFederation {
    config: LocalConfig,
    federation: Arc<Federation>,
    nodes: Vec<Arc<LocalNode>>,
    /// By which client each operator reaches its node.
    clients: Vec<NodeClient>,
    operators: Vec<Option<OperatorHandle>>,
    /// Who was started before: whose key is not new any more.
    started: Vec<bool>,
    wire: Wire,
    folder: PathBuf,
    reissued: Vec<AssetSettings>,
    reissuance_node: Option<ReissuedWith>,
    substitutes: BTreeMap<usize, Substitutes>,
    /// Removed when the federation is dropped.
    _temporary: Option<TempDir>,
    /// Held for the nodes and the messengers.
    _ports: HeldPorts,
}

impl core::fmt::Debug for Wire {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Wire")
    }
}

impl LocalFederation {
    /// Starts all nodes, and all operators but those that are to be absent.
    ///
    /// # Errors
    /// If the numbers make no federation, or something does not start.
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
            .map(|index| RosterEntry {
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

    /// Starts all operators but those that are to be absent, once they are connected: the first
    /// leader would else speak to nobody.
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
        let deadline = tokio::time::Instant::now() + CONNECTING;
        while !are_connected() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(ASK).await;
        }
        for (index, messenger) in messengers {
            let folder = operator_folder(&self.folder, index).join("store");
            self.operators[index] = Some(self.launch(index, index, &folder, messenger).await?);
            self.started[index] = true;
        }
        Ok(())
    }

    /// Starts the operator at a place, with what its store remembers.
    ///
    /// # Errors
    /// If it runs already, or does not start.
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

    /// Starts a second daemon with the keys of the operator at a place, another's node, and a store
    /// of its own in this folder: what must never be done. Where the chain has blocks, a twin with an
    /// empty store begins as an observer.
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
            // This chain is new, and so are all keys on it that were not in use yet.
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
            Some(ReissuedWith(node)) => node.clone(),
            None => Arc::new(self.clients[node].clone()),
        };
        Ok(Some(Reissuance::new(
            self.reissued.clone(),
            spender,
            node,
            store,
        )?))
    }

    /// The M-of-N script of the operators' keys for reissuance tokens, as the chain's dialect holds
    /// tokens.
    ///
    /// # Errors
    /// If it is too long for that.
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

    /// An operator's secret block key, to play it by another protocol.
    #[must_use]
    pub fn block_key(&self, index: usize) -> Secret {
        keys::block_key(id(index).to_u8())
    }

    /// An operator's secret key for reissuance tokens, to play a liar by hand.
    #[must_use]
    pub fn reissuance_key(&self, index: usize) -> Secret {
        keys::reissuance_key(id(index).to_u8())
    }

    /// The folder of an operator's store.
    #[must_use]
    pub fn store_folder(&self, index: usize) -> PathBuf {
        operator_folder(&self.folder, index).join("store")
    }

    /// Sets the assets that operators reissue which are started from now on.
    pub fn set_reissuance(&mut self, assets: Vec<AssetSettings>) {
        self.reissued = assets;
    }

    /// Sets a node that operators which are started from now on reissue with, in place of their own: to
    /// have one lie.
    pub fn set_reissuance_node(&mut self, node: Option<Arc<dyn ReissuanceNode>>) {
        self.reissuance_node = node.map(ReissuedWith);
    }

    /// Sets by which client the operator at a place reaches its node when it is started from now on:
    /// to put something between the two.
    pub fn set_client(&mut self, index: usize, client: NodeClient) {
        self.clients[index] = client;
    }

    /// Sets parts that the operator at a place gets in place of its own when it is started from now on.
    pub fn set_substitutes(&mut self, index: usize, substitutes: Substitutes) {
        self.substitutes.insert(index, substitutes);
    }

    /// An operator's secret identity key, to hold it otherwise than in memory.
    #[must_use]
    pub fn identity_key(&self, index: usize) -> Secret {
        keys::identity_key(id(index).to_u8())
    }

    /// Takes a running operator out, to stop it by hand.
    #[must_use]
    pub fn take_operator(&mut self, index: usize) -> Option<OperatorHandle> {
        self.operators[index].take()
    }

    /// Sets the options of operators that are started from now on.
    pub fn set_options(&mut self, options: Options) {
        self.config.options = options;
    }

    /// The messenger and the identity of an operator that does not run, to play it by hand: a liar,
    /// a flood, an operator of another kind.
    ///
    /// # Errors
    /// If it runs, or its messenger does not start.
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

    /// Stops an operator cleanly; nothing if it does not run.
    ///
    /// # Errors
    /// If it had stopped before by itself: why.
    pub async fn stop_operator(&mut self, index: usize) -> Result<(), LocalError> {
        if let Some(handle) = self.operators[index].take() {
            handle.shutdown().await?;
            self.wire.leave(index);
        }
        Ok(())
    }

    /// Stops an operator as a crash would; nothing if it does not run.
    pub async fn kill_operator(&mut self, index: usize) {
        if let Some(handle) = self.operators[index].take() {
            handle.kill().await;
            self.wire.leave(index);
        }
    }

    /// Delays all links of an operator, both ways, where the operators talk by the hub in memory.
    pub fn delay(&self, index: usize, delay: Duration) {
        for other in 0..self.operators.len() {
            self.wire.delay(index, other, delay);
        }
    }

    /// A running operator.
    #[must_use]
    pub fn operator(&self, index: usize) -> Option<&OperatorHandle> {
        self.operators[index].as_ref()
    }

    /// As [`operator`](Self::operator), to wait for its end.
    #[must_use]
    pub fn operator_mut(&mut self, index: usize) -> Option<&mut OperatorHandle> {
        self.operators[index].as_mut()
    }

    /// The node of the operator at a place.
    #[must_use]
    pub fn node(&self, index: usize) -> &Arc<LocalNode> {
        &self.nodes[index]
    }

    /// The roster and the chain.
    #[must_use]
    pub const fn federation(&self) -> &Arc<Federation> {
        &self.federation
    }

    /// The embedded brokers that the operators talk by, if they do, to be taken down and up.
    #[must_use]
    pub fn brokers(&self) -> Option<&MockBrokers> {
        self.wire.brokers()
    }

    /// Cuts the link between two operators, both ways.
    ///
    /// # Errors
    /// If they have none: over Kafka.
    pub fn cut(&mut self, a: usize, b: usize) -> Result<(), LocalError> {
        self.wire.cut(a, b)
    }

    /// Mends the link between two operators.
    ///
    /// # Errors
    /// If the messenger cannot connect any more.
    pub fn heal(&mut self, a: usize, b: usize) -> Result<(), LocalError> {
        self.wire.heal(a, b)
    }

    /// Waits until every node has a block at this height.
    ///
    /// # Errors
    /// If that takes longer than the limit.
    pub async fn wait_for_height(&self, height: u32, limit: Duration) -> Result<(), LocalError> {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.wait_for_height_at(&all, height, limit).await
    }

    /// Waits until the nodes at these places have a block at this height.
    ///
    /// # Errors
    /// If that takes longer than the limit.
    pub async fn wait_for_height_at(
        &self,
        places: &[usize],
        height: u32,
        limit: Duration,
    ) -> Result<(), LocalError> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let mut reached = Vec::new();
            for place in places {
                reached.push(self.nodes[*place].tip().await?.0.to_u32());
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
            tokio::time::sleep(ASK).await;
        }
    }

    /// What each operator does, for who looks into a failure.
    #[must_use]
    pub fn describe(&self) -> String {
        let operators = self.operators.iter().enumerate();
        let described = operators.map(|(index, operator)| match operator {
            None => format!("operator {index} is not there"),
            Some(handle) => {
                let status = handle.status();
                let ended = if status.has_changed().is_err() {
                    "ended"
                } else {
                    "runs"
                };
                format!("operator {index} {ended}: {:?}", *status.borrow())
            }
        });
        described.collect::<Vec<_>>().join("; ")
    }

    /// Checks that all nodes hold the same blocks, as far as they have come; the common height.
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
                tracing::warn!(%error, index, "an operator had stopped by itself");
            }
        }
        let stopping: Vec<_> = self
            .nodes
            .iter()
            .cloned()
            .map(|node| tokio::spawn(async move { node.stop().await }))
            .collect();
        for task in stopping {
            // A task that panicked has stopped, too.
            let _ = task.await;
        }
    }
}

/// The names of the first operators; the rest are numbered.
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
