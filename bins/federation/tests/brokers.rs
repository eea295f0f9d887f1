//! Operators survive whatever their Kafka brokers do.

#[path = "../../../crates/messenger-kafka/tests/it/stub.rs"]
#[expect(dead_code, reason = "the tests of the messenger use more of it")]
mod stub;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use federation_chain::Dialect;
use federation_devnet::{DevNode, DevNodeConfig};
use federation_local::free_ports;
use federation_multisig::MultisigScript;
use stub::{Faults, Names, Stub};

const PROGRAM: &str = env!("CARGO_BIN_EXE_federation");

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(600);

/// Devnet nodes, and the files of operators that use Kafka.
struct World {
    fed: PathBuf,
    nodes: Vec<DevNode>,
    /// In hex.
    script: String,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(operators: u16, brokers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let first = free_ports(3 * operators).expect("ports").start;
        let made = Command::new(PROGRAM)
            .args(["init", "--interval", "500ms", "--threshold", "3"])
            .args(["--operators", &operators.to_string()])
            .args(["--first-port", &first.to_string(), "--out"])
            .arg(&fed)
            .output()
            .expect("init runs");
        assert!(made.status.success(), "{made:?}");
        let password = folder.path().join("password");
        std::fs::write(&password, "password\n").expect("written");
        let node = std::fs::read_to_string(fed.join("operator-0/node/elements.conf"));
        let node = node.expect("it exists");
        let script = node
            .lines()
            .find_map(|line| line.strip_prefix("signblockscript="));
        let script = MultisigScript::from_hex(script.expect("a script")).expect("a script");
        let mut nodes = Vec::new();
        for index in 0..operators {
            let port = |which: u16| ([127, 0, 0, 1], first + which + 3 * index).into();
            let config = DevNodeConfig::new(Dialect::Dynafed, script.clone())
                .with_chain("fedchain")
                .with_listen(port(1), port(2));
            nodes.push(DevNode::spawn(config).await.expect("a node"));
            let file = fed.join(format!("operator-{index}/operator.toml"));
            let text = std::fs::read_to_string(&file).expect("it exists");
            let lines = text.lines().filter(|line| !line.starts_with("messenger"));
            let text = lines.collect::<Vec<_>>().join("\n").replace(
                "cookie = \"node/fedchain/.cookie\"",
                &format!(
                    "user = \"user\"\npassword_file = \"{}\"",
                    password.display()
                ),
            );
            let kafka = format!("[kafka]\nbrokers = [\"{brokers}\"]\nreplication = 1\n");
            let text = format!("messenger = \"kafka\"\n{text}\n{kafka}");
            std::fs::write(&file, text).expect("written");
        }
        for node in &nodes[1..] {
            node.connect(nodes[0].p2p_address());
        }
        Self {
            fed,
            nodes,
            script: script.to_hex(),
            _folder: folder,
        }
    }

    fn start(&self, index: usize) -> Daemon {
        let config = self.fed.join(format!("operator-{index}/operator.toml"));
        Daemon::start(Command::new(PROGRAM).args(["run", "--config"]).arg(config))
    }

    /// Starts an operator of the classic protocol, by its flags.
    fn start_classic(&self, index: usize, brokers: &str) -> Daemon {
        let operator = self.fed.join(format!("operator-{index}"));
        let node = self.nodes[index].rpc_url();
        let (_, port) = node.trim_end_matches('/').rsplit_once(':').expect("a port");
        Daemon::start(
            Command::new(PROGRAM)
                .args(["run", "--rpconnect", "127.0.0.1", "--rpcport"])
                .arg(port)
                .args(["--rpcuser", "user", "--node-password-file"])
                .arg(self.fed.join("../password"))
                .args(["--id", &index.to_string(), "--nsigs", "3"])
                .args(["--msgtype", "kafka", "--kafka", brokers])
                .args(["--blocktime", "1s", "--signblockscript", &self.script])
                .arg("--block-key-file")
                .arg(operator.join("block.key"))
                .arg("--store")
                .arg(operator.join("classic")),
        )
    }

    fn height(&self) -> u32 {
        self.nodes[0].tip().0.to_u32()
    }
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An operator and its log.
struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, stderr) = (log.clone(), child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *lines.lock().expect("not poisoned") += &format!("{line}\n");
            }
        });
        Self { child, log }
    }

    fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    fn assert_runs(&mut self) {
        let ended = self.child.try_wait().expect("its state is known");
        assert!(ended.is_none(), "{ended:?}: {}", self.log());
    }

    /// Asks it to stop, as a service manager would.
    async fn stop(mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").arg(pid).status();
        assert!(asked.expect("kill runs").success());
        let deadline = Instant::now() + PATIENCE;
        let ended = loop {
            if let Some(ended) = self.child.try_wait().expect("its state is known") {
                break ended;
            }
            assert!(Instant::now() < deadline, "still running: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(ended.success(), "{ended}: {}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A failed test leaves nothing running.
        let _ = self.child.kill();
    }
}

/// Malformed answers of brokers that librdkafka has to parse.
fn lies() -> [Faults; 3] {
    let named = |names| Faults {
        names,
        ..Faults::default()
    };
    let leader_of_nothing = Faults {
        leader_of_nothing: true,
        ..Faults::default()
    };
    [leader_of_nothing, named(Names::Null), named(Names::Empty)]
}

#[tokio::test]
async fn a_broker_that_omits_the_names_of_topics_does_not_end_an_operator() {
    for lie in lies() {
        let stub = Stub::start(lie).await;
        let world = World::new(5, &stub.address()).await;
        let mut operators: Vec<_> = (0..5).map(|index| world.start(index)).collect();
        if lie.leader_of_nothing {
            until("each client ends and is started again, twice", || {
                operators.iter().all(|operator| {
                    let log = operator.log();
                    log.matches("the Kafka client ended").count() >= 2
                        && log.contains("the Kafka client runs again")
                })
            })
            .await;
        } else {
            until("all ask again and again", || stub.metadata_requests() > 30).await;
        }
        for operator in &mut operators {
            operator.assert_runs();
        }
        for operator in operators {
            operator.stop().await;
        }
    }
}

#[tokio::test]
async fn a_broker_that_ends_the_client_does_not_end_an_operator_of_the_classic_protocol() {
    let stub = Stub::start(lies()[0]).await;
    let world = World::new(5, &stub.address()).await;
    let mut operator = world.start_classic(0, &stub.address());
    until("the client ends and is started again, twice", || {
        let log = operator.log();
        log.matches("the Kafka client ended").count() >= 2
            && log.contains("the Kafka client runs again")
    })
    .await;
    operator.assert_runs();
    operator.stop().await;
}

/// Tansu's storage in memory, lost when the broker ends.
const IN_MEMORY: &str = "memory://tansu/";

/// Tansu's storage in its folder, kept when the broker ends.
const ON_DISK: &str = "sqlite://tansu.db";

/// A broker of the program named by `TANSU`.
struct Broker {
    child: Child,
    log: PathBuf,
}

impl Broker {
    fn start(port: u16, folder: &Path, storage: &str) -> Self {
        let log = folder.join("tansu.log");
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log);
        let file = file.expect("created");
        let child = Command::new(std::env::var_os("TANSU").expect("TANSU names the program"))
            .arg("broker")
            .args(["--cluster-id", "federation"])
            .args(["--listener-url", &format!("tcp://127.0.0.1:{port}/")])
            .args([
                "--advertised-listener-url",
                &format!("tcp://127.0.0.1:{port}/"),
            ])
            .args(["--storage-engine", storage])
            .current_dir(folder)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("one more"))
            .stderr(file)
            .spawn()
            .expect("it starts");
        Self { child, log }
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TANSU, a broker's program"]
async fn five_operators_survive_twenty_restarts_of_a_broker_that_forgets() {
    println!("{}", live_through_restarts(|_| IN_MEMORY).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TANSU, a broker's program"]
async fn five_operators_survive_twenty_restarts_of_a_broker_that_remembers() {
    println!("{}", live_through_restarts(|_| ON_DISK).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TANSU, a broker's program"]
async fn five_operators_survive_twenty_restarts_of_a_broker_that_sometimes_forgets() {
    let info =
        live_through_restarts(|restart| if restart % 2 == 0 { ON_DISK } else { IN_MEMORY }).await;
    println!("{info}");
}

/// Returns the end of a log.
fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Restarts a broker twenty times, each time with the given storage, expects a block after each restart, and returns the figures.
async fn live_through_restarts(storage: impl Fn(u32) -> &'static str) -> String {
    let port = free_ports(1).expect("a port").start;
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::new(5, &format!("127.0.0.1:{port}")).await;
    let mut broker = Broker::start(port, folder.path(), storage(0));
    let mut operators: Vec<_> = (0..5).map(|index| world.start(index)).collect();
    until("a block", || {
        world.height() > 0 || broker.log().contains("panicked at")
    })
    .await;
    let (mut waits, mut panicked) = (Vec::new(), 0);
    for restart in 1..=20 {
        drop(broker);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let height = world.height();
        let restarted = Instant::now();
        broker = Broker::start(port, folder.path(), storage(restart));
        while world.height() == height {
            // This broker may keep running after its storage has panicked, without answering.
            if broker.log().matches("panicked at").count() > panicked {
                panicked += 1;
                drop(broker);
                broker = Broker::start(port, folder.path(), storage(restart));
            }
            for operator in &mut operators {
                operator.assert_runs();
            }
            if restarted.elapsed() > PATIENCE {
                let mut printed = format!("broker: {}\n", last_lines(&broker.log()));
                for operator in &operators {
                    printed += &format!("operator: {}\n", last_lines(&operator.log()));
                }
                panic!("no block after restart {restart}; {printed}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        waits.push(restarted.elapsed());
    }
    let ended: usize = operators
        .iter()
        .map(|operator| operator.log().matches("the Kafka client ended").count())
        .sum();
    waits.sort();
    let info = format!(
        "clients that ended in twenty restarts: {ended}; brokers that panicked besides: {panicked}; to the next block: median {:?}, longest {:?}",
        waits[waits.len() / 2],
        waits[waits.len() - 1]
    );
    for operator in operators {
        operator.stop().await;
    }
    info
}
