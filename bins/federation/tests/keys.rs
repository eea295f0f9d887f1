//! Operators as processes, with keys of every kind: in hardware modules, in keystores, in files.
//! And no key is used by two daemons at once.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use federation_chain::{BlockHeight, Dialect};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_keystore::{Passphrase, WorkFactor, create};
use federation_local::free_ports;
use federation_multisig::{KeyOrder, MultisigScript, PublicKey, Threshold};
use federation_signer::{KeyRole, Secret, TokenSelector, key_file};
use federation_signer_hsm::{
    admin::generate_key,
    testing::{USER_PIN, isolated, make_token, pin, softhsm},
};
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(90);
const OPERATORS: usize = 5;
const THRESHOLD: u8 = 4;

/// How many tokens were made.
static TOKENS: AtomicU32 = AtomicU32::new(0);

/// A federation's files and nodes.
struct World {
    fed: PathBuf,
    nodes: Vec<DevNode>,
    _folder: tempfile::TempDir,
}

/// Where an operator's block key is to be: its public half, and the lines for `operator.toml`.
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
        .expect("a file of our own");
}

fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("there");
    assert!(text.contains(from), "`{from}` is in {text}");
    fs::write(path, text.replace(from, to)).expect("written");
}

/// Operators 0 to 2 have tokens, 3 a keystore, 4 a file.
fn block_key(index: usize, own: &Path) -> BlockKey {
    let file = own.join("block.key");
    match index {
        0..=2 => {
            let module = softhsm();
            // One module holds the tokens of several federations in turn.
            let number = TOKENS.fetch_add(1, Ordering::Relaxed);
            let token = format!("operator-{index}-{number}");
            make_token(&module, &token);
            let selector = TokenSelector::Label(token.clone());
            let key = generate_key(&module, &selector, &pin(USER_PIN), "block").expect("a key");
            write_secret(&own.join("pin"), USER_PIN);
            BlockKey {
                public_key: key.public_key.expect("a key of ours"),
                lines: format!(
                    "[keys.block]\nkind = \"hsm\"\nmodule = \"{}\"\ntoken = \"label:{token}\"\n\
                     key = \"label:block\"\npin = \"file:pin\"\n",
                    module.display()
                ),
            }
        }
        3 => {
            fs::remove_file(&file).expect("the plain key goes");
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
            let secret = key_file::read(&file, &network).expect("what init made");
            BlockKey {
                public_key: secret.public_key(),
                lines: "[keys.block]\nkind = \"file\"\nfile = \"block.key\"\n".to_owned(),
            }
        }
    }
}

impl World {
    async fn new(dialect: Dialect) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let first = free_ports(15).expect("ports").start;
        let made = Command::new(env!("CARGO_BIN_EXE_federation"))
            .args(["init", "--operators", "5", "--interval", "300ms"])
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
            .expect("what init made");
            let key = block_key(index, &own);
            change(
                &public,
                &old.public_key().to_string(),
                &key.public_key.to_string(),
            );
            let private = own.join("operator.toml");
            change(&private, "block_key_file = \"block.key\"\n", "");
            let text = fs::read_to_string(&private).expect("there");
            let cookie = text
                .lines()
                .find(|line| line.starts_with("cookie = "))
                .expect("what init wrote")
                .to_owned();
            change(
                &private,
                &cookie,
                &format!(
                    "user = \"user\"\npassword_file = \"../password\"\n{}",
                    key.lines
                ),
            );
            keys.push(key.public_key);
        }
        let threshold = Threshold::new(THRESHOLD).expect("four");
        let script = MultisigScript::new(threshold, keys, KeyOrder::AsGiven).expect("a script");
        let size = federation_chain::SigningRules::required_signature_size(dialect, &script);
        let address = |index: usize, which: u16| {
            let port = first + 3 * u16::try_from(index).expect("small") + which;
            std::net::SocketAddr::from(([127, 0, 0, 1], port))
        };
        let mut nodes: Vec<DevNode> = Vec::new();
        for index in 0..OPERATORS {
            let config = DevNodeConfig::new(dialect, script.clone())
                .with_chain("fedchain")
                .with_max_signature_size(size)
                .with_listen(address(index, 1), address(index, 2));
            let node = DevNode::spawn(config).await.expect("a node");
            for other in &nodes {
                node.connect(other.p2p_address());
            }
            nodes.push(node);
        }
        let text = fs::read_to_string(&public).expect("there");
        let genesis = text
            .lines()
            .find(|line| line.starts_with("genesis = "))
            .expect("what init wrote")
            .to_owned();
        let ours = format!("genesis = \"{}\"", nodes[0].genesis_hash());
        change(&public, &genesis, &ours);
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
        let reached = |node: &DevNode| node.tip().0 >= BlockHeight::new(height);
        while !self.nodes.iter().all(reached) {
            assert!(
                Instant::now() < deadline,
                "height {height} is not reached: {}",
                daemons.iter().map(Daemon::said).collect::<String>()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A running operator; killed when dropped.
struct Daemon {
    process: Child,
    log: PathBuf,
}

impl Daemon {
    fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    /// Stops it as a service manager does.
    fn stop(mut self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill runs").success());
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.said());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(future)
}

#[test]
fn five_operators_three_of_them_on_tokens_make_blocks_in_every_dialect() {
    isolated(
        "five_operators_three_of_them_on_tokens_make_blocks_in_every_dialect",
        || {
            for dialect in Dialect::ALL {
                run(async {
                    let world = World::new(dialect).await;
                    let daemons: Vec<_> = (0..OPERATORS).map(|index| world.start(index)).collect();
                    // Past height 10, where dynafed parameters stand in full again. Four of five
                    // sign, so each block has two signatures of tokens at least.
                    world.wait_for_height(12, &daemons).await;
                    let hash = |node: &DevNode| {
                        let height = BlockHeight::new(12);
                        node.block(height).map(|block| block.block_hash())
                    };
                    assert!(
                        world
                            .nodes
                            .iter()
                            .all(|node| hash(node) == hash(&world.nodes[0]))
                    );
                    for daemon in daemons {
                        daemon.stop();
                    }
                });
            }
        },
    );
}

/// What a daemon says that does not start.
fn refused(output: &Output, part: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(part), "`{part}` is in {said}");
    assert!(said.contains("do: "), "{said}");
}

#[test]
fn no_key_and_no_store_is_used_by_two_daemons_at_once() {
    isolated("no_key_and_no_store_is_used_by_two_daemons_at_once", || {
        run(async {
            let world = World::new(Dialect::Elements).await;
            let daemons: Vec<_> = (0..OPERATORS).map(|index| world.start(index)).collect();
            world.wait_for_height(1, &daemons).await;
            let again =
                |index, flags: &[&str]| world.command(index, flags).output().expect("it runs");
            for index in 0..OPERATORS {
                let guarded = index < 3;
                let part = if guarded {
                    "is open in another process"
                } else {
                    "is in use by another daemon"
                };
                refused(&again(index, &["--listen", "127.0.0.1:0"]), part);
            }
            // Another store does not help: the key file is taken.
            for index in 3..OPERATORS {
                let other = world.own(index).join("other").display().to_string();
                let flags = ["--store", other.as_str(), "--listen", "127.0.0.1:0"];
                refused(&again(index, &flags), "is in use by another daemon");
            }
        });
    });
}

#[test]
fn what_is_wrong_with_a_key_is_said_before_anything_is_signed() {
    isolated(
        "what_is_wrong_with_a_key_is_said_before_anything_is_signed",
        || {
            run(async {
                let world = World::new(Dialect::Dynafed).await;
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
                let kept = fs::read_to_string(own.join("operator.toml")).expect("there");
                let kept = kept.replace("passphrase = \"file:phrase\"\n", "");
                fs::write(own.join("operator.toml"), kept).expect("ours");
                refused(&started(3), "is an encrypted keystore");
            });
        },
    );
}
