//! Starting and stopping a real node: for demos, tests and tools.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use federation_chain::Dialect;
use tokio::process::{Child, Command};

use crate::{Auth, Node, NodeClient, NodeConfig, RpcError};

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct NodeLaunch {
    /// The program, `elementsd` or `oceand`.
    pub program: PathBuf,
    /// Which of them, and how its blocks look.
    pub dialect: Dialect,
    /// The chain's name.
    pub chain: String,
    /// The `signblockscript`, in hex.
    pub script: String,
    /// The limit on a block's signatures, in bytes.
    pub max_block_signature_size: u32,
    /// Coins at the genesis, in satoshi, for anyone to spend.
    pub initial_free_coins: u64,
    /// The data folder; it must exist.
    pub datadir: PathBuf,
    /// The port of its RPC, on loopback.
    pub rpc_port: u16,
    /// The port for its peers, on loopback.
    pub p2p_port: u16,
    /// The ports of its peers, on loopback.
    pub peers: Vec<u16>,
    /// More arguments.
    pub extra: Vec<String>,
}

/// A node that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The program does not start.
    #[error("cannot start {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The node ended before it answered.
    #[error("the node ended at once ({status}): its last words are in {}", log.display())]
    Ended {
        /// How it ended.
        status: String,
        /// Where its output is.
        log: PathBuf,
    },
    /// The node does not answer.
    #[error("the node does not answer")]
    Silent(#[from] RpcError),
    /// Its files cannot be made.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running node. Dropping it kills the process.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    client: NodeClient,
}

/// How long a node may take to answer its first call.
const START: Duration = Duration::from_secs(60);
/// How long a node may take to stop by itself.
const STOP: Duration = Duration::from_secs(20);

impl NodeLaunch {
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("-datadir={}", self.datadir.display()),
            format!("-chain={}", self.chain),
            format!("-signblockscript={}", self.script),
            format!("-con_max_block_sig_size={}", self.max_block_signature_size),
            format!("-initialfreecoins={}", self.initial_free_coins),
            "-con_blocksubsidy=0".to_owned(),
            "-server=1".to_owned(),
            "-listen=1".to_owned(),
            "-txindex=1".to_owned(),
            "-dnsseed=0".to_owned(),
            "-discover=0".to_owned(),
            "-listenonion=0".to_owned(),
            "-printtoconsole=0".to_owned(),
            format!("-rpcport={}", self.rpc_port),
            format!("-port={}", self.p2p_port),
            "-rpcbind=127.0.0.1".to_owned(),
            "-rpcallowip=127.0.0.1".to_owned(),
        ];
        for peer in &self.peers {
            arguments.push(format!("-addnode=127.0.0.1:{peer}"));
        }
        match self.dialect {
            Dialect::Ocean => arguments.push("-bind=127.0.0.1".to_owned()),
            Dialect::Elements | Dialect::Dynafed => arguments.extend(
                [
                    "-validatepegin=0",
                    "-fallbackfee=0.00001",
                    "-blindedaddresses=0",
                    "-anyonecanspendaremine=1",
                    "-bind=127.0.0.1",
                ]
                .map(str::to_owned),
            ),
        }
        if self.dialect == Dialect::Elements {
            arguments.push("-evbparams=dynafed:-2:::".to_owned());
        }
        arguments.extend(self.extra.iter().cloned());
        arguments
    }

    /// Where the node writes its cookie.
    #[must_use]
    pub fn cookie(&self) -> PathBuf {
        self.datadir.join(&self.chain).join(".cookie")
    }
}

impl NodeProcess {
    /// Starts a node and waits until it answers.
    ///
    /// # Errors
    /// If the program does not start, ends at once, or stays silent.
    pub async fn spawn(launch: &NodeLaunch) -> Result<Self, LaunchError> {
        let log = launch.datadir.join("output.log");
        let output = create(&log)?;
        let errors = output.try_clone().map_err(|source| LaunchError::File {
            path: log.clone(),
            source,
        })?;
        let mut child = Command::new(&launch.program)
            .args(launch.arguments())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| LaunchError::Spawn {
                program: launch.program.clone(),
                source,
            })?;
        let config = NodeConfig::new(format!("http://127.0.0.1:{}", launch.rpc_port))
            .with_auth(Auth::Cookie(launch.cookie()))
            .with_dialect(launch.dialect);
        let client = NodeClient::new(config)?;
        let begun = tokio::time::Instant::now();
        loop {
            let error = match client.block_count().await {
                Ok(_) => return Ok(Self { child, client }),
                Err(error) => error,
            };
            if let Ok(Some(status)) = child.try_wait() {
                return Err(LaunchError::Ended {
                    status: status.to_string(),
                    log,
                });
            }
            if begun.elapsed() > START {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A client of the node.
    #[must_use]
    pub const fn client(&self) -> &NodeClient {
        &self.client
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Stops the node as its own RPC does, and kills it if that takes too long.
    pub async fn stop(mut self) {
        let asked = self.client.stop().await.is_ok();
        if asked && tokio::time::timeout(STOP, self.child.wait()).await.is_ok() {
            return;
        }
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the node could not be killed");
        }
    }
}

fn create(path: &Path) -> Result<std::fs::File, LaunchError> {
    std::fs::File::create(path).map_err(|source| LaunchError::File {
        path: path.to_owned(),
        source,
    })
}
