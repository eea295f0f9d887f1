//! The nodes: embedded in this process, or real ones.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use federation_ceremony::Certificate;
use federation_chain::{Block, BlockHeight, Dialect};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig};
use tokio::time::Instant;

use crate::{machine::Machine, parties::COINS, programs::text};

const PASSWORD: &str = "of-a-devnet-node";
const PAUSE: Duration = Duration::from_millis(100);
/// How long a real node may take to answer its first call, or to end.
const REAL: Duration = Duration::from_secs(60);

/// The kind of nodes.
pub(crate) enum Place {
    /// Devnet nodes.
    Devnet,
    /// Processes of this program, started by the README's command.
    Real(PathBuf),
}

/// A node for each machine.
pub(crate) struct Nodes {
    devnet: Vec<DevNode>,
    real: Vec<RealNode>,
    clients: Vec<NodeClient>,
}

/// A node in the background, stopped when dropped.
struct RealNode {
    pid: String,
}

impl Drop for RealNode {
    fn drop(&mut self) {
        // It may already have ended.
        let _ = std::process::Command::new("kill").arg(&self.pid).output();
    }
}

impl Nodes {
    pub(crate) async fn start(
        machines: &[Machine],
        certificate: &Certificate,
        place: Place,
    ) -> Self {
        match place {
            Place::Devnet => {
                let limit = certificate.max_block_signature_size();
                Self::start_devnet(machines, certificate, limit).await
            }
            Place::Real(program) => Self::start_real(machines, certificate, &program).await,
        }
    }

    /// Starts nodes with the same genesis block but other rules.
    pub(crate) async fn start_with_other_limit(
        machines: &[Machine],
        certificate: &Certificate,
    ) -> Self {
        Self::start_devnet(machines, certificate, 1000).await
    }

    async fn start_devnet(machines: &[Machine], certificate: &Certificate, limit: u32) -> Self {
        let mut devnet = Vec::new();
        let mut clients = Vec::new();
        for machine in machines {
            let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
            let (peers, rpc) = ports(machine);
            let config = DevNodeConfig::new(certificate.dialect(), certificate.script().clone())
                .with_chain(certificate.chain_name())
                .with_free_coins(certificate.sweep().map_or(0, |_| COINS))
                .with_max_signature_size(limit)
                .with_credentials("__cookie__", PASSWORD)
                .with_listen(loopback(rpc), loopback(peers));
            let node = DevNode::spawn(config).await.expect("a node");
            let folder = machine.folder.join("node").join(certificate.chain_name());
            fs::create_dir_all(&folder).expect("created");
            let cookie = format!("__cookie__:{PASSWORD}");
            fs::write(folder.join(".cookie"), cookie).expect("written");
            for other in &devnet {
                node.connect(DevNode::p2p_address(other));
            }
            clients.push(client(machine, certificate));
            devnet.push(node);
        }
        Self {
            devnet,
            real: Vec::new(),
            clients,
        }
    }

    /// Starts real nodes by the README's second command.
    async fn start_real(machines: &[Machine], certificate: &Certificate, program: &Path) -> Self {
        let folder = program.parent().expect("a folder");
        let mut nodes = Self {
            devnet: Vec::new(),
            real: Vec::new(),
            clients: Vec::new(),
        };
        for machine in machines {
            text(&machine.run_with(&machine.commands[1], folder));
            let client = client(machine, certificate);
            let deadline = Instant::now() + REAL;
            while let Err(error) = client.block_count().await {
                assert!(
                    Instant::now() < deadline,
                    "the node does not answer: {error}"
                );
                tokio::time::sleep(PAUSE).await;
            }
            let data = machine.folder.join("node").join(certificate.chain_name());
            let pid = fs::read_dir(data)
                .expect("its folder")
                .filter_map(Result::ok)
                .find(|entry| entry.path().extension().is_some_and(|end| end == "pid"))
                .expect("its id");
            let pid = fs::read_to_string(pid.path()).expect("it exists");
            nodes.real.push(RealNode {
                pid: pid.trim().to_owned(),
            });
            nodes.clients.push(client);
        }
        nodes
    }

    /// Returns the lowest height of all nodes.
    pub(crate) async fn height(&self) -> u32 {
        let mut lowest = u32::MAX;
        for client in &self.clients {
            lowest = lowest.min(client.block_count().await.expect("an answer").to_u32());
        }
        lowest
    }

    /// Waits until all nodes have the same block at a height.
    pub(crate) async fn wait_for(&self, height: u32, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.height().await < height {
            assert!(Instant::now() < deadline, "no block {height}");
            tokio::time::sleep(PAUSE).await;
        }
        let mut hashes = Vec::new();
        for client in &self.clients {
            let hash = client.block_hash(BlockHeight::new(height)).await;
            hashes.push(hash.expect("an answer"));
        }
        assert!(
            hashes.windows(2).all(|pair| pair[0] == pair[1]),
            "{hashes:?}"
        );
    }

    /// Returns the ids of block 1's transactions, as displayed.
    pub(crate) async fn first_transactions(&self, dialect: Dialect) -> Vec<String> {
        let client = &self.clients[0];
        let hash = client
            .block_hash(BlockHeight::new(1))
            .await
            .expect("it exists");
        let bytes = client.block(hash).await.expect("it exists");
        let block = Block::decode(dialect, bytes).expect("a block");
        let mut ids = Vec::new();
        block
            .each_transaction(|transaction| ids.push(transaction.txid().to_string()))
            .expect("transactions");
        ids
    }

    pub(crate) async fn stop(self) {
        for node in self.devnet {
            node.stop().await;
        }
        for (client, node) in self.clients.iter().zip(&self.real) {
            // Dropping it stops it once more.
            let _ = client.stop().await;
            let deadline = Instant::now() + REAL;
            let process = PathBuf::from("/proc").join(&node.pid);
            while process.exists() && Instant::now() < deadline {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Returns the node's peer and RPC ports from its configuration.
fn ports(machine: &Machine) -> (u16, u16) {
    let name = ["node/elements.conf", "node/ocean.conf"]
        .into_iter()
        .find(|name| machine.folder.join(name).exists())
        .expect("a configuration");
    let conf = machine.read(name);
    let port = |name: &str| {
        let mut lines = conf.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.expect(name).parse().expect("a port")
    };
    (port("port"), port("rpcport"))
}

fn client(machine: &Machine, certificate: &Certificate) -> NodeClient {
    let (_, rpc) = ports(machine);
    let cookie = machine
        .folder
        .join("node")
        .join(certificate.chain_name())
        .join(".cookie");
    let config = NodeConfig::new(format!("http://127.0.0.1:{rpc}")).with_auth(Auth::Cookie(cookie));
    NodeClient::new(config).expect("a client")
}
