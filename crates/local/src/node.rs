//! An operator's node: a devnet node or a process.

use std::{net::SocketAddr, path::Path, sync::Mutex, sync::PoisonError};

use federation_chain::{BlockHash, BlockHeight, SigningRules};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_ocean_rpc::{
    Auth, Node, NodeClient, NodeConfig,
    process::{NodeLaunch, NodeProcess},
};

use crate::{LocalConfig, LocalError, NodeKind};

/// The coins of a local chain's genesis block, in satoshi, which anyone can spend.
const FREE_COINS: u64 = 2_100_000_000_000_000;

enum Backend {
    Devnet(Box<DevNode>),
    Process(Box<NodeProcess>),
}

/// An operator's node.
pub struct LocalNode {
    backend: Mutex<Option<Backend>>,
    client: NodeClient,
    p2p: SocketAddr,
}

impl LocalNode {
    /// Starts an operator's node. Real nodes get their peers at the start.
    pub(crate) async fn spawn(
        config: &LocalConfig,
        rules: &SigningRules,
        folder: &Path,
        ports: &[(u16, u16)],
        index: usize,
    ) -> Result<Self, LocalError> {
        match &config.nodes {
            NodeKind::Devnet => {
                let devnet = DevNodeConfig::new(config.dialect, rules.script().clone())
                    .with_max_signature_size(rules.max_signature_size());
                let node = DevNode::spawn(devnet).await?;
                let (user, password) = node.rpc_credentials();
                let reach = NodeConfig::new(node.rpc_url())
                    .with_auth(Auth::basic(user, password))
                    .with_dialect(config.dialect);
                Ok(Self {
                    client: NodeClient::new(reach)?,
                    p2p: node.p2p_address(),
                    backend: Mutex::new(Some(Backend::Devnet(Box::new(node)))),
                })
            }
            NodeKind::Process(program) => {
                let datadir = folder.join("node");
                std::fs::create_dir_all(&datadir).map_err(|source| LocalError::System {
                    path: datadir.clone(),
                    source,
                })?;
                let (rpc_port, p2p_port) = ports[index];
                let launch = NodeLaunch {
                    program: program.clone(),
                    dialect: config.dialect,
                    chain: chain_name(config.dialect).to_owned(),
                    script: rules.script().to_hex(),
                    max_block_signature_size: rules.max_signature_size(),
                    initial_free_coins: FREE_COINS,
                    datadir,
                    rpc_port,
                    p2p_port,
                    peers: ports
                        .iter()
                        .map(|(_, p2p)| *p2p)
                        .filter(|port| *port != p2p_port)
                        .collect(),
                    extra: config.node_args.clone(),
                };
                let process = NodeProcess::spawn(&launch).await?;
                Ok(Self {
                    client: process.client().clone(),
                    p2p: SocketAddr::from(([127, 0, 0, 1], p2p_port)),
                    backend: Mutex::new(Some(Backend::Process(Box::new(process)))),
                })
            }
        }
    }

    /// Returns a client of the node.
    #[must_use]
    pub const fn client(&self) -> &NodeClient {
        &self.client
    }

    /// Connects to another devnet node. Real nodes have their peers from the start.
    pub(crate) fn connect(&self, other: &Self) {
        self.with_devnet(|node| node.connect(other.p2p));
    }

    /// Calls a function with the devnet node, if it is one and is running.
    pub fn with_devnet<T>(&self, act: impl FnOnce(&DevNode) -> T) -> Option<T> {
        let backend = self.backend.lock().unwrap_or_else(PoisonError::into_inner);
        match backend.as_ref() {
            Some(Backend::Devnet(node)) => Some(act(node)),
            _ => None,
        }
    }

    /// Returns height and hash of the node's best block.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn tip(&self) -> Result<(BlockHeight, BlockHash), LocalError> {
        if let Some(tip) = self.with_devnet(DevNode::tip) {
            return Ok(tip);
        }
        let height = self.client.block_count().await?;
        Ok((height, self.client.block_hash(height).await?))
    }

    /// Returns the hash of the block at a height.
    ///
    /// # Errors
    /// If the node does not answer, or has no block there.
    pub async fn hash_at(&self, height: BlockHeight) -> Result<BlockHash, LocalError> {
        Ok(self.client.block_hash(height).await?)
    }

    /// Stops the node.
    pub(crate) async fn stop(&self) {
        let backend = self
            .backend
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match backend {
            Some(Backend::Devnet(node)) => node.stop().await,
            Some(Backend::Process(process)) => process.stop().await,
            None => {}
        }
    }
}

/// Returns a chain name that the node accepts for a custom chain.
const fn chain_name(dialect: federation_chain::Dialect) -> &'static str {
    match dialect {
        federation_chain::Dialect::Ocean => "ocean_test",
        federation_chain::Dialect::Elements | federation_chain::Dialect::Dynafed => "localfed",
    }
}

impl core::fmt::Debug for LocalNode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LocalNode")
            .field("url", &self.client.url())
            .finish_non_exhaustive()
    }
}
