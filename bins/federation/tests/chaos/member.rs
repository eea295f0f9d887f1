//! One operator: its process, its node and its files.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use federation_devnet::{DevNode, DevNodeConfig};

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Member {
    folder: PathBuf,
    node: Option<DevNode>,
    node_config: DevNodeConfig,
    peers: Vec<std::net::SocketAddr>,
    process: Option<Child>,
    /// The last lines of the log of the current or last process.
    log: Arc<Mutex<Vec<String>>>,
}

impl Member {
    pub(crate) async fn new(
        folder: PathBuf,
        node_config: DevNodeConfig,
        peers: Vec<std::net::SocketAddr>,
    ) -> Self {
        let mut member = Self {
            folder,
            node: None,
            node_config,
            peers,
            process: None,
            log: Arc::default(),
        };
        member.start_node().await;
        member
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    pub(crate) fn node(&self) -> &DevNode {
        self.node.as_ref().expect("the node runs")
    }

    pub(crate) const fn has_node(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) async fn start_node(&mut self) {
        let node = DevNode::spawn(self.node_config.clone())
            .await
            .expect("a node starts");
        for peer in &self.peers {
            node.connect(*peer);
        }
        self.node = Some(node);
    }

    pub(crate) async fn stop_node(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().await;
        }
    }

    /// Starts the operator's process, for which exceeding a file size limit is an error, not a signal.
    pub(crate) fn start(&mut self, flags: &[&str]) {
        assert!(self.process.is_none(), "one process at a time");
        let mut child = Command::new("bash")
            .args(["-c", r#"trap "" XFSZ; exec "$0" run --config "$@""#])
            .arg(env!("CARGO_BIN_EXE_federation"))
            .arg(self.folder.join("operator.toml"))
            .args(flags)
            .env_remove("RUST_LOG")
            // The keys are new, even if the others make block 1 without this operator.
            .env("FEDERATION_NEW_KEY_UNTIL", "1000000")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        self.log = Arc::default();
        let (log, stderr) = (self.log.clone(), child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.lock().expect("not poisoned").push(line);
            }
        });
        self.process = Some(child);
    }

    pub(crate) fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("the process runs");
        let pid = process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill runs").success(), "{signal} {pid}");
    }

    /// Limits the size of the files that the process writes.
    pub(crate) fn limit_files(&self, bytes: u32) {
        let pid = self.process.as_ref().expect("the process runs").id();
        let set = Command::new("prlimit")
            .args(["--pid", &pid.to_string(), &format!("--fsize={bytes}")])
            .status();
        assert!(set.expect("prlimit runs").success());
    }

    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("the process runs");
        process.kill().expect("killed");
        process.wait().expect("it ends");
    }

    /// Waits until the process ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let process = self.process.as_mut().expect("the process runs");
            if let Some(status) = process.try_wait().expect("its state is known") {
                self.process = None;
                // The reader of the log lags slightly behind.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return status;
            }
            assert!(Instant::now() < deadline, "still running:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the process ends within a second.
    pub(crate) async fn ends_soon(&mut self) -> bool {
        for _ in 0..50 {
            let process = self.process.as_mut().expect("the process runs");
            if process.try_wait().expect("its state is known").is_some() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Stops the process gracefully.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM");
        let status = self.ended().await;
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        let log = self.log.lock().expect("not poisoned");
        let from = log.len().saturating_sub(40);
        log[from..].join("\n")
    }

    /// Changes a byte in the newest part of the store, as a torn write would.
    pub(crate) fn tear_store(&self, dice: usize) {
        let path = self.store().join("operator.redb");
        let mut bytes = std::fs::read(&path).expect("a store");
        let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let begin = used[dice % used.len()];
        let end = (begin + 512).min(bytes.len());
        bytes[begin..end].fill(0xa5);
        std::fs::write(path, bytes).expect("written");
    }

    /// Moves the store away, as the error for a damaged store advises.
    pub(crate) fn move_store_away(&self) {
        let store = self.store();
        let away = (0..)
            .map(|n| store.with_file_name(format!("store-{n}")))
            .find(|path| !path.exists())
            .expect("an unused name");
        std::fs::rename(store, away).expect("renamed");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // A failed test leaves nothing running.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Replaces a part of a file's text.
pub(crate) fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("it exists");
    assert!(text.contains(from), "`{from}` is in {text}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}
