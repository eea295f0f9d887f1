//! SIGTERM and SIGINT end every verb, even while a node, a broker or a key hangs.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use federation_keystore::{Passphrase, WorkFactor, create};
use federation_local::free_ports;
use federation_multisig::Network;
use federation_signer::{KeyRole, key_file};
use zeroize::Zeroizing;

const PROGRAM: &str = env!("CARGO_BIN_EXE_federation");

/// How long a process may take to reach the point where it is meant to hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a process may take to end on the slowest machine; the hang lasts longer.
const LIMIT: Duration = Duration::from_secs(20);

/// The files of three operators, one of which will hang.
struct World {
    fed: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let first_port = free_ports(9).expect("ports").start.to_string();
        let made = Command::new(PROGRAM)
            .args([
                "init",
                "--operators",
                "3",
                "--first-port",
                &first_port,
                "--out",
            ])
            .arg(&fed)
            .output();
        assert!(made.expect("it runs").status.success());
        Self {
            fed,
            _folder: folder,
        }
    }

    fn config(&self) -> PathBuf {
        self.fed.join("operator-0/operator.toml")
    }

    fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).expect("it exists");
        assert!(text.contains(from), "{text}");
        std::fs::write(self.config(), text.replace(from, to)).expect("written");
    }

    /// Configures a node that accepts connections but does not answer.
    fn with_node(&self, node: &Hung) {
        let text = std::fs::read_to_string(self.config()).expect("it exists");
        let url = text.lines().find(|line| line.starts_with("url = "));
        self.change(
            url.expect("a url"),
            &format!("url = \"http://127.0.0.1:{}\"", node.port),
        );
        let cookie = self.fed.join("operator-0/node/fedchain/.cookie");
        std::fs::create_dir_all(cookie.parent().expect("a folder")).expect("created");
        std::fs::write(cookie, "__cookie__:secret").expect("written");
    }
}

/// A server that accepts connections but does not answer.
struct Hung {
    port: u16,
    taken: mpsc::Receiver<TcpStream>,
}

impl Hung {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, taken) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { port, taken }
    }

    /// Waits for the first connection, which stays open.
    fn wait(&self) -> TcpStream {
        self.taken.recv_timeout(PATIENCE).expect("a connection")
    }
}

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// Sends a signal, waits for the end, and returns the exit code.
fn end_by(signal: &str, mut child: Child) -> Option<i32> {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.expect("kill runs").success());
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().expect("its state is known") {
            return status.code();
        }
        if Instant::now() > deadline {
            child.kill().expect("it exists");
            panic!("it continued after SIG{signal}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for the first line of its output.
fn wait_for_line(child: &mut Child) {
    let mut line = String::new();
    let printed = child.stdout.as_mut().expect("piped");
    BufReader::new(printed)
        .read_line(&mut line)
        .expect("a line");
    assert!(!line.is_empty(), "no output");
}

fn wait_for(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "timed out: {}", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn with_a_node_that_hangs() {
    for (verb, code) in [("run", 0), ("preflight", 143)] {
        let (world, node) = (World::new(), Hung::new());
        world.with_node(&node);
        let child = start(&[verb, "--config", world.config().to_str().expect("text")]);
        let held = node.wait();
        assert_eq!(end_by("TERM", child), Some(code), "{verb}");
        drop(held);
    }
}

#[test]
fn under_the_flags_of_the_python_program_with_a_node_that_hangs() {
    let (folder, node) = (tempfile::tempdir().expect("a folder"), Hung::new());
    let port = node.port.to_string();
    let store = folder.path().to_str().expect("text");
    let args = [
        "run",
        "--rpconnect",
        "127.0.0.1",
        "--rpcport",
        &port,
        "--id",
        "0",
    ];
    let rest = [
        "--rpcuser",
        "user",
        "--rpcpassword",
        "password",
        "--store",
        store,
    ];
    for signal in ["TERM", "INT"] {
        let child = start(&[&args[..], &rest].concat());
        let held = node.wait();
        assert_eq!(end_by(signal, child), Some(0));
        drop(held);
    }
}

#[test]
fn with_a_broker_that_hangs() {
    for (verb, code) in [("run", 0), ("preflight", 143)] {
        let (world, node, broker) = (World::new(), Hung::new(), Hung::new());
        if verb == "run" {
            world.with_node(&node);
        }
        let kafka = format!(
            "messenger = \"kafka\"\n\n[kafka]\nbrokers = [\"127.0.0.1:{}\"]\n\n[node]",
            broker.port
        );
        world.change("[node]", &kafka);
        let child = start(&[verb, "--config", world.config().to_str().expect("text")]);
        let held = broker.wait();
        assert_eq!(end_by("TERM", child), Some(code), "{verb}");
        drop(held);
    }
}

#[test]
fn with_a_key_that_hangs() {
    let world = World::new();
    let folder = world.fed.join("operator-0");
    let secret = key_file::read(&folder.join("block.key"), &Network::ELEMENTS_CUSTOM);
    let (file, phrase) = (
        folder.join("block.keystore"),
        Passphrase::new(Zeroizing::new("correct horse".to_owned())),
    );
    let (secret, factor) = (secret.expect("a key"), WorkFactor::insecure_for_tests());
    create(&file, KeyRole::Block, &secret, &phrase, factor).expect("a keystore");
    // Its pass phrase comes from a program that never prints it.
    let pipe = folder.join("phrase");
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&pipe)
        .status();
    assert!(made.expect("mkfifo runs").success());
    world.change("block_key_file = \"block.key\"\n", "");
    let keystore = "[keys.block]\nkind = \"keystore\"\nfile = \"block.keystore\"\n\
                    passphrase = \"file:phrase\"\n\n[node]";
    world.change("[node]", keystore);
    let child = start(&["run", "--config", world.config().to_str().expect("text")]);
    let (sender, opened) = mpsc::channel();
    std::thread::spawn(move || {
        // Opened once there is a reader, which then receives nothing.
        let writer = std::fs::OpenOptions::new().write(true).open(pipe);
        // The test may have ended.
        let _ = sender.send(writer);
    });
    let held = opened.recv_timeout(PATIENCE).expect("the key is read");
    assert_eq!(end_by("TERM", child), Some(0));
    drop(held);
}

#[test]
fn of_verbs_that_run_until_stopped() {
    for args in [
        &["devnet", "--json"][..],
        &["demo", "--plain", "--blocks", "1000"],
        &["demo", "--json", "--blocks", "1000"],
    ] {
        for signal in ["TERM", "INT"] {
            let mut child = start(args);
            wait_for_line(&mut child);
            assert_eq!(end_by(signal, child), Some(0), "{args:?}");
        }
    }
}

#[test]
fn of_a_benchmark() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().to_str().expect("text");
        let child = start(&["bench", "--blocks", "1000", "--store", store]);
        wait_for(&folder.path().join("operator-0/store"));
        assert_eq!(end_by(signal, child), Some(code));
    }
}
