//! Operators as processes, with keys of every kind: in hardware modules, in keystores, in files. No key
//! is used by two daemons at once.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use federation_chain::{BlockHash, BlockHeight, Dialect};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_keystore::{Passphrase, WorkFactor, create};
use federation_local::free_ports;
use federation_multisig::{KeyOrder, MultisigScript, PublicKey, Threshold};
use federation_ocean_rpc::{
    Auth, Node as _, NodeClient, NodeConfig,
    process::{NodeLaunch, NodeProcess},
};
use federation_signer::{KeyRole, Secret, TokenSelector, key_file};
use federation_signer_hsm::{
    admin::generate_key,
    testing::{USER_PIN, isolated, make_token, pin, softhsm},
};
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(90);
const OPERATORS: usize = 5;
const THRESHOLD: u8 = 4;

/// The number of tokens created.
static TOKENS: AtomicU32 = AtomicU32::new(0);

/// A federation's files and nodes.
struct World {
    fed: PathBuf,
    nodes: Vec<Node>,
    _folder: tempfile::TempDir,
}

/// An operator's node, and a client of it.
struct Node {
    client: NodeClient,
    _running: Running,
}

/// A node that runs until dropped.
enum Running {
    Devnet { _node: DevNode },
    Process { _node: Box<NodeProcess> },
}

/// The kind of nodes.
enum Nodes {
    /// Devnet nodes in this process.
    Devnet,
    /// Real nodes of the program named by the variable.
    Real(&'static str),
}

/// An operator's block key: its public key, and its lines for `operator.toml`.
struct BlockKey {
    public_key: PublicKey,
    lines: String,
}

fn write_secret(path: &Path, text: &str) {
    fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{text}"))
        .expect("a file");
}

fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("it exists");
    assert!(text.contains(from), "`{from}` is in {text}");
    fs::write(path, text.replace(from, to)).expect("written");
}

/// Operators 0 to 2 have tokens, 3 a keystore, 4 a file.
fn block_key(index: usize, own: &Path) -> BlockKey {
    let file = own.join("block.key");
    match index {
        0..=2 => {
            let module = softhsm();
            // One module holds the tokens of several federations, one after the other.
            let number = TOKENS.fetch_add(1, Ordering::Relaxed);
            let token = format!("operator-{index}-{number}");
            make_token(&module, &token);
            let selector = TokenSelector::Label(token.clone());
            let key = generate_key(&module, &selector, &pin(USER_PIN), "block").expect("a key");
            write_secret(&own.join("pin"), USER_PIN);
            BlockKey {
                public_key: key.public_key.expect("a public key"),
                lines: format!(
                    "[keys.block]\nkind = \"hsm\"\nmodule = \"{}\"\ntoken = \"label:{token}\"\n\
                     key = \"label:block\"\npin = \"file:pin\"\n",
                    module.display()
                ),
            }
        }
        3 => {
            fs::remove_file(&file).expect("removed");
            let secret = Secret::generate();
            let passphrase = Passphrase::new(Zeroizing::new("correct horse".to_owned()));
            let factor = WorkFactor::insecure_for_tests();
            create(&file, KeyRole::Block, &secret, &passphrase, factor).expect("a keystore");
            write_secret(&own.join("phrase"), passphrase.expose());
            BlockKey {
                public_key: secret.public_key(),
                lines: "[keys.block]\nkind = \"keystore\"\nfile = \"block.key\"\n\
                        passphrase = \"file:phrase\"\n"
                    .to_owned(),
            }
        }
        _ => {
            let network = federation_multisig::Network::ELEMENTS_CUSTOM;
            let secret = key_file::read(&file, &network).expect("created by init");
            BlockKey {
                public_key: secret.public_key(),
                lines: "[keys.block]\nkind = \"file\"\nfile = \"block.key\"\n".to_owned(),
            }
        }
    }
}

impl World {
    async fn new(dialect: Dialect, kind: Nodes) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let first = free_ports(15).expect("ports").start;
        let made = Command::new(env!("CARGO_BIN_EXE_federation"))
            .args(["init", "--operators", "5", "--interval", "300ms"])
            // The keys, and with them the genesis block, are changed below.
            .args(["--coins-to", "anyone", "--fees-to", "anyone"])
            .args(["--threshold", &THRESHOLD.to_string()])
            .args(["--dialect", &dialect.to_string()])
            .args(["--first-port", &first.to_string(), "--out"])
            .arg(&fed)
            .output()
            .expect("init runs");
        assert!(made.status.success(), "{made:?}");
        write_secret(&fed.join("password"), "password");
        let public = fed.join("federation.toml");
        let mut keys = Vec::new();
        for index in 0..OPERATORS {
            let own = fed.join(format!("operator-{index}"));
            let old = key_file::read(
                &own.join("block.key"),
                &federation_multisig::Network::ELEMENTS_CUSTOM,
            )
            .expect("created by init");
            let key = block_key(index, &own);
            change(
                &public,
                &old.public_key().to_string(),
                &key.public_key.to_string(),
            );
            let private = own.join("operator.toml");
            change(&private, "block_key_file = \"block.key\"\n", "");
            // Below the top-level settings, above the node's table.
            change(&private, "[node]\n", &format!("{}\n[node]\n", key.lines));
            if let Nodes::Devnet = kind {
                let text = fs::read_to_string(&private).expect("it exists");
                let cookie = line(&text, "cookie = ");
                let password = "user = \"user\"\npassword_file = \"../password\"";
                change(&private, cookie, password);
            }
            keys.push(key.public_key);
        }
        let text = fs::read_to_string(&public).expect("it exists");
        let chain = line(&text, "chain = ")
            .trim_start_matches("chain = ")
            .trim_matches('"')
            .to_owned();
        let threshold = Threshold::new(THRESHOLD).expect("four");
        let script = MultisigScript::new(threshold, keys, KeyOrder::AsGiven).expect("a script");
        let size = federation_chain::SigningRules::required_signature_size(dialect, &script);
        let address = |index: usize, which: u16| {
            let port = first + 3 * u16::try_from(index).expect("small") + which;
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        let mut nodes = Vec::new();
        let mut peers: Vec<SocketAddr> = Vec::new();
        for index in 0..OPERATORS {
            let (rpc, p2p) = (address(index, 1), address(index, 2));
            let node = match kind {
                Nodes::Devnet => {
                    let config = DevNodeConfig::new(dialect, script.clone())
                        .with_chain("fedchain")
                        .with_max_signature_size(size)
                        .with_listen(rpc, p2p);
                    let node = DevNode::spawn(config).await.expect("a node");
                    peers.iter().for_each(|peer| node.connect(*peer));
                    let (user, password) = node.rpc_credentials();
                    let reach =
                        NodeConfig::new(node.rpc_url()).with_auth(Auth::basic(user, password));
                    Node {
                        client: NodeClient::new(reach).expect("a client"),
                        _running: Running::Devnet { _node: node },
                    }
                }
                Nodes::Real(program) => {
                    let program = std::env::var_os(program).expect("the node's program");
                    let datadir = fed.join(format!("operator-{index}/node"));
                    // Everything is passed as arguments.
                    for conf in ["elements.conf", "ocean.conf"] {
                        let _ = fs::remove_file(datadir.join(conf));
                    }
                    let process = NodeProcess::spawn(&NodeLaunch {
                        program: program.into(),
                        dialect,
                        chain: chain.clone(),
                        script: script.to_hex(),
                        max_block_signature_size: size,
                        initial_free_coins: 2_100_000_000_000_000,
                        datadir,
                        rpc_port: rpc.port(),
                        p2p_port: p2p.port(),
                        peers: peers.iter().map(SocketAddr::port).collect(),
                        extra: Vec::new(),
                    })
                    .await
                    .expect("the node starts");
                    Node {
                        client: process.client().clone(),
                        _running: Running::Process {
                            _node: Box::new(process),
                        },
                    }
                }
            };
            peers.push(p2p);
            nodes.push(node);
        }
        let text = fs::read_to_string(&public).expect("it exists");
        let genesis = nodes[0].hash(0).await;
        let ours = format!("genesis = \"{genesis}\"");
        change(&public, line(&text, "genesis = "), &ours);
        Self {
            fed,
            nodes,
            _folder: folder,
        }
    }

    fn own(&self, index: usize) -> PathBuf {
        self.fed.join(format!("operator-{index}"))
    }

    fn command(&self, index: usize, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_federation"));
        command
            .args(["run", "--config"])
            .arg(self.own(index).join("operator.toml"))
            .args(flags)
            .env_remove("RUST_LOG")
            // The keys are new, even if the others make block 1 without this operator.
            .env("FEDERATION_NEW_KEY_UNTIL", "1000000")
            .stdin(Stdio::null());
        command
    }

    fn start(&self, index: usize) -> Daemon {
        let log = self.own(index).join("log");
        let file = fs::File::create(&log).expect("a log");
        let process = self
            .command(index, &[])
            .stderr(file)
            .spawn()
            .expect("it starts");
        Daemon { process, log }
    }

    async fn wait_for_height(&self, height: u32, daemons: &[Daemon]) {
        let deadline = Instant::now() + PATIENCE;
        for node in &self.nodes {
            while node.client.block_count().await.expect("it answers") < BlockHeight::new(height) {
                assert!(
                    Instant::now() < deadline,
                    "height {height} is not reached: {}",
                    daemons.iter().map(Daemon::log).collect::<String>()
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

impl Node {
    async fn hash(&self, height: u32) -> BlockHash {
        let height = BlockHeight::new(height);
        self.client
            .block_hash(height)
            .await
            .expect("the node has it")
    }
}

/// Returns the line with this beginning.
fn line<'a>(text: &'a str, begin: &str) -> &'a str {
    text.lines()
        .find(|line| line.starts_with(begin))
        .expect("written by init")
}

/// A running operator; killed when dropped.
struct Daemon {
    process: Child,
    log: PathBuf,
}

impl Daemon {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    /// Stops it as a service manager would.
    fn stop(mut self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill runs").success());
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may already have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(future)
}

/// Moves operator 4's key into the wallet of its node.
async fn move_into_wallet(world: &World) {
    let (own, node) = (world.own(4), &world.nodes[4]);
    let network = federation_multisig::Network::ELEMENTS_CUSTOM;
    let secret = key_file::read(&own.join("block.key"), &network).expect("created by init");
    let params = [serde_json::Value::from(secret.to_wif(&network).as_str())];
    node.client
        .call::<serde_json::Value>("importprivkey", &params)
        .await
        .expect("imported");
    fs::remove_file(own.join("block.key")).expect("removed");
    change(
        &own.join("operator.toml"),
        "kind = \"file\"\nfile = \"block.key\"",
        "kind = \"node\"",
    );
}

#[test]
fn a_key_in_a_nodes_wallet_signs_with_the_others_in_every_dialect() {
    isolated(
        "a_key_in_a_nodes_wallet_signs_with_the_others_in_every_dialect",
        || {
            for dialect in Dialect::ALL {
                run(async {
                    let world = World::new(dialect, Nodes::Devnet).await;
                    move_into_wallet(&world).await;
                    // Four of five must sign, so there is no block without the wallet.
                    let daemons: Vec<_> = (1..OPERATORS).map(|index| world.start(index)).collect();
                    world.wait_for_height(12, &daemons).await;
                    for daemon in daemons {
                        daemon.stop();
                    }
                });
            }
        },
    );
}

/// Three of five operators have tokens and four must sign, so each block has at least two signatures by
/// tokens. Runs past height 10, where the dynafed parameters appear in full again.
async fn makes_blocks(dialect: Dialect, kind: Nodes) {
    let world = World::new(dialect, kind).await;
    let daemons: Vec<_> = (0..OPERATORS).map(|index| world.start(index)).collect();
    world.wait_for_height(12, &daemons).await;
    let hash = world.nodes[0].hash(12).await;
    for node in &world.nodes {
        assert_eq!(node.hash(12).await, hash);
    }
    for daemon in daemons {
        daemon.stop();
    }
}

#[test]
fn five_operators_three_of_them_on_tokens_make_blocks_in_every_dialect() {
    isolated(
        "five_operators_three_of_them_on_tokens_make_blocks_in_every_dialect",
        || {
            for dialect in Dialect::ALL {
                run(makes_blocks(dialect, Nodes::Devnet));
            }
        },
    );
}

#[test]
#[ignore = "needs ELEMENTSD"]
fn operators_on_tokens_make_blocks_with_elements() {
    isolated("operators_on_tokens_make_blocks_with_elements", || {
        run(makes_blocks(Dialect::Elements, Nodes::Real("ELEMENTSD")));
        run(makes_blocks(Dialect::Dynafed, Nodes::Real("ELEMENTSD")));
    });
}

#[test]
#[ignore = "needs OCEAND"]
fn operators_on_tokens_make_blocks_with_ocean() {
    isolated("operators_on_tokens_make_blocks_with_ocean", || {
        run(makes_blocks(Dialect::Ocean, Nodes::Real("OCEAND")));
    });
}

/// Checks the error of a daemon that does not start.
fn refused(output: &Output, part: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains(part), "`{part}` is in {printed}");
    assert!(printed.contains("help: "), "{printed}");
}

#[test]
fn no_key_and_no_store_is_used_by_two_daemons_at_once() {
    isolated("no_key_and_no_store_is_used_by_two_daemons_at_once", || {
        run(async {
            let world = World::new(Dialect::Elements, Nodes::Devnet).await;
            let daemons: Vec<_> = (0..OPERATORS).map(|index| world.start(index)).collect();
            world.wait_for_height(1, &daemons).await;
            let again =
                |index, flags: &[&str]| world.command(index, flags).output().expect("it runs");
            for index in 0..OPERATORS {
                let part = "is in use by another daemon";
                refused(&again(index, &["--listen", "127.0.0.1:0"]), part);
                // Another store does not help: the key itself is locked, even on a token.
                let other = world.own(index).join("other").display().to_string();
                let flags = ["--store", other.as_str(), "--listen", "127.0.0.1:0"];
                refused(&again(index, &flags), part);
            }
        });
    });
}

#[test]
fn a_problem_with_a_key_is_reported_before_anything_is_signed() {
    isolated(
        "a_problem_with_a_key_is_reported_before_anything_is_signed",
        || {
            run(async {
                let world = World::new(Dialect::Dynafed, Nodes::Devnet).await;
                let started = |index| world.command(index, &[]).output().expect("it runs");
                let own = world.own(0);
                change(&own.join("pin"), USER_PIN, "99999999");
                refused(&started(0), "refuses the PIN");
                change(&own.join("pin"), "99999999", USER_PIN);
                change(&own.join("operator.toml"), "label:block", "label:blocks");
                refused(&started(0), "has no private key label:blocks");
                let own = world.own(3);
                change(&own.join("phrase"), "correct", "wrong");
                refused(&started(3), "does not open");
                change(&own.join("operator.toml"), "keystore", "file");
                let kept = fs::read_to_string(own.join("operator.toml")).expect("it exists");
                let kept = kept.replace("passphrase = \"file:phrase\"\n", "");
                fs::write(own.join("operator.toml"), kept).expect("written");
                refused(&started(3), "is an encrypted keystore");
            });
        },
    );
}
