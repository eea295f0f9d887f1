//! A federation of three processes on devnet nodes, and the verbs about it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use federation_chain::Dialect;
use federation_devnet::{DevNode, DevNodeConfig};
use federation_local::free_ports;
use federation_multisig::MultisigScript;
use serde_json::Value;

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct World {
    pub(crate) fed: PathBuf,
    pub(crate) nodes: Vec<DevNode>,
    _folder: tempfile::TempDir,
}

/// A daemon and its log.
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// Creates three operators, two of which must sign, with their nodes but without their daemons.
    pub(crate) async fn new() -> Self {
        Self::with_threshold(2).await
    }

    /// Creates three operators with a threshold.
    pub(crate) async fn with_threshold(threshold: u8) -> Self {
        // The nodes' wallets can spend them.
        Self::made(threshold, "anyone", 2_100_000_000_000_000).await
    }

    /// Creates three operators on a chain with a number of coins, in satoshi, paid to `coins_to`.
    pub(crate) async fn made(threshold: u8, coins_to: &str, coins: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let first_port = free_ports(9).expect("ports").start;
        let out = fed.to_str().expect("text");
        let port = first_port.to_string();
        let args = ["init", "--out", out, "--operators", "3", "--interval"];
        let threshold = threshold.to_string();
        let rest = ["500ms", "--first-port", &port, "--threshold", &threshold];
        let to = ["--coins-to", coins_to];
        let made = federation(&[&args[..], &rest, &to].concat());
        assert!(made.status.success(), "{}", stderr(&made));
        std::fs::write(folder.path().join("password"), "password\n").expect("written");
        let mut nodes = Vec::new();
        for index in 0..3 {
            let config = DevNodeConfig::new(Dialect::Dynafed, script_of(&fed))
                .with_chain("fedchain")
                .with_free_coins(coins)
                .with_listen(
                    ([127, 0, 0, 1], first_port + 1 + 3 * index).into(),
                    ([127, 0, 0, 1], first_port + 2 + 3 * index).into(),
                );
            nodes.push(DevNode::spawn(config).await.expect("a node"));
        }
        for node in &nodes[1..] {
            node.connect(nodes[0].p2p_address());
        }
        let world = Self {
            fed,
            nodes,
            _folder: folder,
        };
        for index in 0..3 {
            let password = world.fed.with_file_name("password");
            let user = format!(
                "user = \"user\"\npassword_file = \"{}\"",
                password.display()
            );
            let cookie = "cookie = \"node/fedchain/.cookie\"";
            change(&world.config(index), cookie, &user);
        }
        world
    }

    pub(crate) fn folder(&self, index: usize) -> PathBuf {
        self.fed.join(format!("operator-{index}"))
    }

    pub(crate) fn config(&self, index: usize) -> PathBuf {
        self.folder(index).join("operator.toml")
    }

    pub(crate) fn store(&self, index: usize) -> PathBuf {
        self.folder(index).join("store")
    }

    /// Creates the same operator on another machine, with its keys and settings but without a store.
    pub(crate) fn other_machine(&self, index: usize) -> PathBuf {
        let (from, to) = (
            self.folder(index),
            self.fed.join(format!("operator-{index}-elsewhere")),
        );
        std::fs::create_dir(&to).expect("created");
        for entry in std::fs::read_dir(&from).expect("readable") {
            let entry = entry.expect("readable");
            if entry.file_type().expect("known").is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
            }
        }
        to.join("operator.toml")
    }

    pub(crate) fn height(&self) -> u32 {
        self.nodes[0].tip().0.to_u32()
    }

    /// Waits until all nodes have a number of further blocks.
    pub(crate) async fn blocks(&self, more: u32) {
        let wanted = self.height() + more;
        until("blocks", || {
            let mut tips = self.nodes.iter().map(|node| node.tip().0.to_u32());
            tips.all(|tip| tip >= wanted)
        })
        .await;
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Daemon {
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_with(config, &[])
    }

    pub(crate) fn start_with(config: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_federation"));
        if is_first(config) {
            // The key is new, even if the others make block 1 without it.
            command.env("FEDERATION_NEW_KEY_UNTIL", "1000000");
        }
        let mut child = command
            .args(["run", "--config"])
            .arg(config)
            .args(flags)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (log.clone(), child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("not poisoned").push(line);
            }
        });
        Self { child, log }
    }

    /// Sends it a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(asked.expect("kill runs").success());
    }

    /// Stops it gracefully.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of a daemon that was killed.
    pub(crate) async fn killed(&mut self) {
        self.ended().await;
    }

    /// Waits until it fails, and returns the end of its log.
    pub(crate) async fn fails(mut self) -> String {
        let status = self.ended().await;
        // The reader of the log lags slightly behind.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(status.code(), Some(1), "{}", self.log());
        self.log()
    }

    /// Waits until it ends with a failure that needs attention, and returns the end of its log.
    pub(crate) async fn halts(mut self) -> String {
        let status = self.ended().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(status.code(), Some(78), "{}", self.log());
        self.log()
    }

    async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("its state is known") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until its log contains a text.
    pub(crate) async fn logs(&self, word: &str) {
        until(word, || self.log().contains(word)).await;
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("not poisoned").join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A failed test leaves nothing running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this operator was never started before, on any machine.
fn is_first(config: &Path) -> bool {
    let mark = config.with_file_name("was-started");
    !mark.exists() && std::fs::write(mark, []).is_ok()
}

pub(crate) fn federation(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_federation"))
        .args(args)
        .env_remove("RUST_LOG")
        .output()
        .expect("the program runs")
}

/// Starts a verb about an operator in the background.
pub(crate) fn start(config: &Path, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_federation"))
        .args(with_config(config, args))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn with_config<'a>(config: &'a Path, args: &[&'a str]) -> Vec<&'a str> {
    let mut all = args.to_vec();
    all.extend(["--config", text(config)]);
    all
}

/// Runs a verb about an operator, which must succeed.
pub(crate) fn ask(config: &Path, args: &[&str]) -> String {
    let output = federation(&with_config(config, args));
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

pub(crate) fn ask_json(config: &Path, args: &[&str]) -> Value {
    let text = ask(config, &[args, &["--json"]].concat());
    serde_json::from_str(&text).expect("json")
}

/// Runs a verb about an operator, which must fail, and returns its error.
pub(crate) fn refused(config: &Path, args: &[&str]) -> String {
    let output = federation(&with_config(config, args));
    assert_eq!(
        output.status.code(),
        Some(1),
        "{args:?}: {}{}",
        stdout(&output),
        stderr(&output)
    );
    let error = stderr(&output);
    assert!(error.contains("help: "), "the help is missing: {error}");
    error
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// Replaces a part of a file's text.
pub(crate) fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("it exists");
    assert!(text.contains(from), "`{from}` is in {text}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

/// Returns the federation's script from the node configuration that `init` wrote.
pub(crate) fn script_of(fed: &Path) -> MultisigScript {
    let conf =
        std::fs::read_to_string(fed.join("operator-0/node/elements.conf")).expect("it exists");
    let hex = conf
        .lines()
        .find_map(|line| line.strip_prefix("signblockscript="))
        .expect("a script");
    MultisigScript::from_hex(hex).expect("a multisig script")
}
