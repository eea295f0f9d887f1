//! Starting and stopping real nodes, for demos, tests and tools.
//!
//! Each node gets its own data folder, chain and ports on loopback, and writes a cookie file for
//! users who may read the folder. It connects only to the peers it is given.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use federation_chain::Dialect;
use tokio::process::{Child, Command};

use crate::{Auth, Node, NodeClient, NodeConfig, RpcError};

pub use crate::ports::HeldPort;

/// The parameters with which a node is started.
#[derive(Debug, Clone)]
pub struct NodeLaunch {
    /// The executable, `elementsd` or `oceand`.
    pub program: PathBuf,
    /// The dialect, which determines the kind of node and the form of its blocks.
    pub dialect: Dialect,
    /// The chain's name.
    pub chain: String,
    /// The `signblockscript`, in hex.
    pub script: String,
    /// The limit on a block's signatures, in bytes.
    pub max_block_signature_size: u32,
    /// Coins that anyone can spend in the genesis block, in satoshi.
    pub initial_free_coins: u64,
    /// The data folder; it must exist.
    pub datadir: PathBuf,
    /// Its RPC port, on loopback.
    pub rpc_port: u16,
    /// Its P2P port, on loopback.
    pub p2p_port: u16,
    /// The P2P ports of its peers, on loopback.
    pub peers: Vec<u16>,
    /// Additional arguments.
    pub extra: Vec<String>,
}

/// A node that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The program could not be started.
    #[error("cannot start {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The error reported by the system.
        source: std::io::Error,
    },
    /// The node exited before it answered.
    #[error("the node exited during startup ({status}), with the output: {output}; see {} for more", log.display())]
    Ended {
        /// Its exit status.
        status: String,
        /// The end of its output.
        output: String,
        /// The file with its output.
        log: PathBuf,
    },
    /// The node runs but does not answer.
    #[error("the node started but does not answer: see debug.log in its data folder")]
    Silent(#[from] RpcError),
    /// One of its files could not be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error reported by the system.
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
/// How long a node may take to stop. It waits up to 30 seconds for idle connections of clients; if
/// it is killed, it loses the blocks that it has not written yet.
const STOP: Duration = Duration::from_secs(45);
/// The pause between two probes of a starting node.
const PAUSE: Duration = Duration::from_millis(100);
/// Limit on a node's output in an error, in characters.
const MAX_OUTPUT: usize = 500;

/// Reserves a port on loopback until this process ends: see [`HeldPort`].
///
/// # Errors
/// If the system has no free port.
pub fn free_port() -> std::io::Result<u16> {
    HeldPort::any().map(HeldPort::keep)
}

impl NodeLaunch {
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("-datadir={}", self.datadir.display()),
            format!("-chain={}", self.chain),
            format!("-signblockscript={}", self.script),
            format!("-initialfreecoins={}", self.initial_free_coins),
            "-server=1".to_owned(),
            "-listen=1".to_owned(),
            "-txindex=1".to_owned(),
            "-dnsseed=0".to_owned(),
            "-discover=0".to_owned(),
            "-listenonion=0".to_owned(),
            "-printtoconsole=0".to_owned(),
            format!("-rpcport={}", self.rpc_port),
            format!("-port={}", self.p2p_port),
            "-bind=127.0.0.1".to_owned(),
            "-rpcbind=127.0.0.1".to_owned(),
            "-rpcallowip=127.0.0.1".to_owned(),
        ];
        arguments.extend(
            self.peers
                .iter()
                .map(|peer| format!("-addnode=127.0.0.1:{peer}")),
        );
        if matches!(self.dialect, Dialect::Elements | Dialect::Dynafed) {
            arguments.extend([
                format!("-con_max_block_sig_size={}", self.max_block_signature_size),
                "-con_blocksubsidy=0".to_owned(),
                "-validatepegin=0".to_owned(),
                "-fallbackfee=0.00001".to_owned(),
                "-blindedaddresses=0".to_owned(),
                "-anyonecanspendaremine=1".to_owned(),
                "-fixedseeds=0".to_owned(),
            ]);
        }
        if self.dialect == Dialect::Elements {
            // A custom chain starts with dynafed unless told otherwise.
            arguments.push("-evbparams=dynafed:-2:::".to_owned());
        }
        arguments.extend(self.extra.iter().cloned());
        arguments
    }

    /// Returns the path of the node's cookie file.
    #[must_use]
    pub fn cookie(&self) -> PathBuf {
        self.datadir.join(&self.chain).join(".cookie")
    }
}

impl NodeProcess {
    /// Starts a node and waits until it answers.
    ///
    /// # Errors
    /// If the program does not start, exits during startup, or does not answer.
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
        let probe = NodeClient::new(config.clone().with_retries(0, PAUSE))?;
        let client = NodeClient::new(config)?;
        let begun = tokio::time::Instant::now();
        loop {
            let Err(error) = probe.block_count().await else {
                return Ok(Self { child, client });
            };
            if let Ok(Some(status)) = child.try_wait() {
                return Err(LaunchError::Ended {
                    status: status.to_string(),
                    output: end_of_output(&log),
                    log,
                });
            }
            if begun.elapsed() > START {
                return Err(error.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns a client of the node.
    #[must_use]
    pub const fn client(&self) -> &NodeClient {
        &self.client
    }

    /// Returns the process id, while the node is running.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Stops the node by RPC, and kills it if that takes too long.
    pub async fn stop(mut self) {
        let stopped = async { self.client.stop().await.is_ok() && self.child.wait().await.is_ok() };
        if !matches!(tokio::time::timeout(STOP, stopped).await, Ok(true)) {
            self.kill().await;
        }
    }

    /// Kills the node, as a crash would.
    pub async fn kill(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "node could not be killed");
        }
    }
}

fn create(path: &Path) -> Result<std::fs::File, LaunchError> {
    std::fs::File::create(path).map_err(|source| LaunchError::File {
        path: path.to_owned(),
        source,
    })
}

/// Returns the end of a node's output, on one line.
fn end_of_output(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = words.chars().count().saturating_sub(MAX_OUTPUT);
    words.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(datadir: &Path, program: &str) -> NodeLaunch {
        NodeLaunch {
            program: program.into(),
            dialect: Dialect::Dynafed,
            chain: "test".to_owned(),
            script: "51".to_owned(),
            max_block_signature_size: 74,
            initial_free_coins: 0,
            datadir: datadir.to_owned(),
            rpc_port: free_port().expect("a port"),
            p2p_port: free_port().expect("a port"),
            peers: vec![1234],
            extra: vec!["-debug=net".to_owned()],
        }
    }

    #[test]
    fn each_dialect_has_its_arguments() {
        let mut launch = launch(Path::new("/d"), "x");
        let has = |launch: &NodeLaunch, argument: &str| {
            launch.arguments().iter().any(|known| known == argument)
        };
        assert!(has(&launch, "-addnode=127.0.0.1:1234") && has(&launch, "-debug=net"));
        assert!(has(&launch, "-con_max_block_sig_size=74"));
        assert!(!has(&launch, "-evbparams=dynafed:-2:::"));
        launch.dialect = Dialect::Elements;
        assert!(has(&launch, "-evbparams=dynafed:-2:::"));
        launch.dialect = Dialect::Ocean;
        assert!(!has(&launch, "-con_max_block_sig_size=74"));
        assert_eq!(launch.cookie(), Path::new("/d/test/.cookie"));
    }

    #[tokio::test]
    async fn the_error_for_a_program_that_is_not_a_node_contains_its_output() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = NodeProcess::spawn(&launch(folder.path(), "/nonexistent")).await;
        assert!(matches!(error, Err(LaunchError::Spawn { .. })), "{error:?}");
        let error = NodeProcess::spawn(&launch(folder.path(), "/bin/ls"))
            .await
            .expect_err("not a node");
        assert!(
            matches!(&error, LaunchError::Ended { output, .. } if output.contains("ls")),
            "{error}"
        );
        let error = NodeProcess::spawn(&launch(Path::new("/nonexistent"), "/bin/ls")).await;
        assert!(matches!(error, Err(LaunchError::File { .. })), "{error:?}");
    }
}
