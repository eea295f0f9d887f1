//! The classic protocol at the command line, and the switch from it to `agreed`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use federation_chain::{BlockHeight, Dialect};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_harness::{Fault, Middleman, Proxy};
use federation_local::free_ports;
use federation_multisig::MultisigScript;
use serde_json::{Value, json};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_federation"));
    command.args(args).env_remove("RUST_LOG");
    command
}

fn federation(args: &[&str]) -> Output {
    command(args).output().expect("the program runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Killed when dropped, so that a failing test leaves no daemon.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(args: &[&str]) -> Self {
        let child = command(args).stderr(Stdio::null()).spawn();
        Self(child.expect("it starts"))
    }

    /// Stops it gracefully, and returns its exit code.
    fn terminate(mut self) -> Option<i32> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        assert!(asked.expect("kill runs").success());
        self.0.wait().expect("it ends").code()
    }
}

const ONE_OF_ONE: &str =
    "51210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179851ae";

const BASE: [&str; 9] = [
    "run",
    "--rpconnect",
    "127.0.0.1",
    "--rpcport",
    "1",
    "--rpcuser",
    "user",
    "--id",
    "1",
];

#[test]
fn unsupported_uses_of_the_old_flags_are_refused() {
    let cases: [(&[&str], &str); 10] = [
        (&["--config", "operator.toml"], "cannot be used with"),
        (&["--operator", "alpha"], "cannot be used with"),
        (&["--rpcpassword", "p", "--msgtype", "zmq"], "--nodes"),
        (&["--rpcpassword", "p", "--msg_type", "smoke"], "smoke"),
        (
            &["--rpcpassword", "p", "--inflationrate", "0.01"],
            "--inflationaddress",
        ),
        (&["--rpcpassword", "p", "--hsm", "1"], "[keys.block]"),
        (&["--msgtype", "ZMQ", "--nodes", "a:1,b:2"], "password"),
        (
            &["--rpcpassword", "p", "--signblockscript", "zz"],
            "--signblockscript",
        ),
        (
            &["--rpcpassword", "p", "--signblockscript", ONE_OF_ONE],
            "--nsigs 1",
        ),
        (
            &["--rpcpassword", "p", "--node-password-file", "f"],
            "cannot be used with",
        ),
    ];
    for (flags, part) in cases {
        let output = federation(&[&BASE[..], flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let text = stderr(&output);
        assert!(text.contains(part), "{flags:?}: {part} in {text}");
    }
    for incomplete in [
        &["run", "--rpconnect", "127.0.0.1"][..],
        &["run", "--rpcport", "1"],
        &["run", "--nodes", "a:1"],
    ] {
        assert_eq!(federation(incomplete).status.code(), Some(2));
    }
}

const OPERATORS: u16 = 3;
/// The first height of `agreed`.
const CHANGE: u32 = 4;

/// Creates a federation of three with `init`, and its devnet nodes with the block keys in their wallets;
/// also returns the first port.
async fn three(folder: &Path, interval: &str) -> (Vec<DevNode>, MultisigScript, u16) {
    let fed = folder.join("fed");
    let first_port = free_ports(9).expect("ports").start;
    let output = federation(&[
        "init",
        "--out",
        fed.to_str().expect("text"),
        "--operators",
        "3",
        "--interval",
        interval,
        // The classic protocol does not support sweeps.
        "--coins-to",
        "anyone",
        "--first-port",
        &first_port.to_string(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let conf =
        std::fs::read_to_string(fed.join("operator-0/node/elements.conf")).expect("it exists");
    let script = conf
        .lines()
        .find_map(|line| line.strip_prefix("signblockscript="))
        .expect("a script");
    let script = MultisigScript::from_hex(script).expect("a multisig script");
    let mut nodes: Vec<DevNode> = Vec::new();
    for index in 0..OPERATORS {
        let config = DevNodeConfig::new(Dialect::Dynafed, script.clone())
            .with_chain("fedchain")
            .with_listen(
                ([127, 0, 0, 1], first_port + 1 + 3 * index).into(),
                ([127, 0, 0, 1], first_port + 2 + 3 * index).into(),
            );
        let node = DevNode::spawn(config).await.expect("a node");
        for other in &nodes {
            node.connect(other.p2p_address());
        }
        nodes.push(node);
    }
    (nodes, script, first_port)
}

async fn reach(nodes: &[DevNode], height: u32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while nodes.iter().any(|node| node.tip().0.to_u32() < height) {
        assert!(Instant::now() < deadline, "no blocks: {nodes:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for at in 0..=height {
        let hash = |node: &DevNode| node.block(BlockHeight::new(at)).map(|one| one.block_hash());
        assert!(nodes.iter().all(|node| hash(node) == hash(&nodes[0])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_flags_run_an_operator_in_either_spelling() {
    let folder = tempfile::tempdir().expect("a folder");
    let (nodes, script, first_port) = three(folder.path(), "1s").await;
    let list: Vec<String> = (0..OPERATORS)
        .map(|index| format!("127.0.0.1:{}", first_port + 3 * index))
        .collect();
    let list = list.join(",");
    let password = folder.path().join("password");
    std::fs::write(&password, "password\n").expect("written");
    let password = password.to_str().expect("text");
    let spellings = [
        ["--rpconnect", "--rpcpassword", "password", "--msgtype"],
        ["--rpcconnect", "--rpcpass", "password", "--msg_type"],
        ["--rpconnect", "--node-password-file", password, "--msgtype"],
    ];
    let mut daemons = Vec::new();
    for (index, [connect, pass, word, msgtype]) in spellings.into_iter().enumerate() {
        let port = (first_port + 1 + 3 * index as u16).to_string();
        let own = folder.path().join(format!("fed/operator-{index}"));
        let (key, store) = (own.join("block.key"), own.join("store"));
        daemons.push(Daemon::start(&[
            "run",
            connect,
            "127.0.0.1",
            "--rpcport",
            &port,
            "--rpcuser",
            "user",
            pass,
            word,
            "--id",
            &index.to_string(),
            msgtype,
            "zmq",
            "--nodes",
            &list,
            "--nsigs",
            "2",
            "--blocktime",
            "1s",
            "--signblockscript",
            &script.to_hex(),
            "--block-key-file",
            key.to_str().expect("text"),
            "--store",
            store.to_str().expect("text"),
        ]));
    }
    reach(&nodes, 3).await;
    for daemon in daemons {
        assert_eq!(daemon.terminate(), Some(0));
    }
}

/// Changes the files that `init` wrote for a switch at [`CHANGE`].
fn configs_until(fed: &Path, node: &DevNode) -> Vec<String> {
    let public = fed.join("federation.toml");
    let text = std::fs::read_to_string(&public).expect("it exists");
    let genesis = node.genesis_hash();
    let head = format!("protocol = {{ classic_until = {CHANGE} }}\nchain =");
    let text = text.replacen("chain =", &head, 1);
    let text = text.replace("genesis = \"\"", &format!("genesis = \"{genesis}\""));
    std::fs::write(&public, text).expect("written");
    let password = fed.with_file_name("password");
    std::fs::write(&password, "password\n").expect("written");
    (0..OPERATORS)
        .map(|index| {
            let config = fed.join(format!("operator-{index}/operator.toml"));
            let user = format!(
                "user = \"user\"\npassword_file = \"{}\"",
                password.display()
            );
            change(&config, "cookie = \"node/fedchain/.cookie\"", &user);
            config.to_str().expect("text").to_owned()
        })
        .collect()
}

/// Replaces a part of a file's text.
fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("it exists");
    assert!(text.contains(from), "`{from}` is in {text}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

/// Runs an operator until its log contains a word or it has ended; returns the log, and the exit code if it ended.
fn run_until(args: &[&str], word: &str) -> (String, Option<i32>) {
    let mut child = command(args).stderr(Stdio::piped()).spawn().expect("runs");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut daemon = Daemon(child);
    let mut printed = String::new();
    for line in lines.map_while(Result::ok) {
        printed = format!("{printed}{line}\n");
        if line.contains(word) {
            return (printed, None);
        }
    }
    let ended = daemon.0.wait().expect("it ends").code();
    (printed, ended)
}

/// A proxy that falsifies what a node reports of its chain.
struct Tells {
    epoch_length: Option<u32>,
    /// Whether dynafed can still activate.
    dynafed: bool,
}

impl Middleman for Tells {
    fn answer(&self, method: &str, _: &Value) -> Option<Result<Value, Fault>> {
        let info = json!({ "active": false, "bip9": { "status": "started" } });
        (self.dynafed && method == "getdeploymentinfo")
            .then(|| Ok(json!({ "deployments": { "dynafed": info } })))
    }

    fn alter(&self, method: &str, _: &Value, result: &Value) -> Option<Value> {
        let length = self
            .epoch_length
            .filter(|_| method == "getblockchaininfo")?;
        let mut result = result.clone();
        result["epoch_length"] = json!(length);
        Some(result)
    }
}

/// The flags of an operator with only the old flags and this node.
fn by_flags(url: &str, folder: &Path, key: &Path) -> Vec<String> {
    let port = url.rsplit(':').next().expect("a port");
    let (store, key) = (folder.join("store"), key.to_owned());
    let words = |paths: [PathBuf; 2]| paths.map(|path| path.to_str().expect("text").to_owned());
    let [store, key] = words([store, key]);
    let args = "run --rpconnect 127.0.0.1 --rpcuser user --rpcpassword password --id 0 --nsigs 2 \
                --msgtype zmq --blocktime 1s";
    let own = format!("127.0.0.1:{}", free_ports(1).expect("ports").start);
    let more = ["--rpcport", port, "--nodes", &own, "--store", &store];
    let words = args.split_whitespace().chain(more);
    words
        .chain(["--block-key-file", &key])
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_can_change_its_signers_or_format_is_refused_as_by_agreed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (nodes, script, _) = three(folder.path(), "1s").await;
    let fed = folder.path().join("fed");
    let key = fed.join("operator-0/block.key");
    let flags = |url: &str, script: &MultisigScript| {
        let mut flags = by_flags(url, folder.path(), &key);
        flags.extend(["--signblockscript".to_owned(), script.to_hex()]);
        flags
    };
    let refused = |args: &[&str], part: &str| {
        let (printed, ended) = run_until(args, "signed");
        assert_eq!(ended, Some(1), "{printed}");
        assert!(printed.contains(part), "{printed}");
    };
    let before = async |node: &DevNode, info: Tells| {
        let proxy = Proxy::spawn(&node.rpc_url(), Arc::new(info)).await;
        proxy.expect("a port")
    };
    let short = |length| Tells {
        epoch_length: Some(length),
        dynafed: false,
    };
    let proxy = before(&nodes[0], short(4)).await;
    let by_flags = flags(&proxy.url(), &script);
    let by_flags: Vec<_> = by_flags.iter().map(String::as_str).collect();
    refused(&by_flags, "epochs of 4 blocks");
    // The same with configuration files, below the height of the switch.
    let configs = configs_until(&fed, &nodes[0]);
    change(Path::new(&configs[0]), &nodes[0].rpc_url(), &proxy.url());
    refused(&["run", "--config", &configs[0]], "epochs of 4 blocks");
    let store = fed.join("operator-0/store/classic.guard");
    assert!(
        store.exists(),
        "it was about to begin with the old protocol"
    );

    let elements = DevNodeConfig::new(Dialect::Elements, script.clone());
    let elements = DevNode::spawn(elements).await.expect("a node");
    let info = Tells {
        epoch_length: None,
        dynafed: true,
    };
    let proxy = before(&elements, info).await;
    let by_flags = flags(&proxy.url(), &script);
    let by_flags: Vec<_> = by_flags.iter().map(String::as_str).collect();
    refused(&by_flags, "dynafed can activate on it later");
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_about_the_money_are_those_of_agreed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (nodes, script, _) = three(folder.path(), "1s").await;
    let fed = folder.path().join("fed");
    let key = fed.join("operator-0/block.key");
    let mut flags = by_flags(&nodes[0].rpc_url(), folder.path(), &key);
    flags.extend(["--signblockscript".to_owned(), script.to_hex()]);
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let warning = "anyone can take coins of the genesis block";
    let (printed, ended) = run_until(&flags, warning);
    assert_eq!(ended, None, "{printed}");
    let configs = configs_until(&fed, &nodes[0]);
    let (printed, ended) = run_until(&["run", "--config", &configs[0]], warning);
    assert_eq!(ended, None, "{printed}");
    assert!(!printed.contains("switching to `agreed`"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_switch_to_agreed_without_a_stop_and_restart_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (nodes, _, _) = three(folder.path(), "1s").await;
    let fed = folder.path().join("fed");
    let configs = configs_until(&fed, &nodes[0]);
    let start = || {
        configs
            .iter()
            .map(|config| Daemon::start(&["run", "--config", config]))
    };
    let daemons: Vec<_> = start().collect();
    reach(&nodes, CHANGE + 3).await;
    for daemon in daemons {
        assert_eq!(daemon.terminate(), Some(0));
    }
    for index in 0..OPERATORS {
        let guard = fed.join(format!("operator-{index}/store/classic.guard"));
        let guard = std::fs::read_to_string(guard).expect("it exists");
        assert!(
            guard.contains(&format!("\"agreed_from\":{CHANGE}")),
            "{guard}"
        );
    }
    let daemons: Vec<_> = start().collect();
    reach(&nodes, CHANGE + 6).await;
    for daemon in daemons {
        assert_eq!(daemon.terminate(), Some(0));
    }
}
