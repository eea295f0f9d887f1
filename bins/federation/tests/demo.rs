//! The demo: with reissuances, on a terminal and without one, and with external brokers.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use federation_messenger_kafka::mock::MockBrokers;

const REISSUING: &str = "--inflation-rate 0.1 --inflation-period 4 --blocks 14 --interval 500ms";

fn text(output: &Output) -> String {
    let shown = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&shown).into_owned()
}

/// Returns the number of reissuances that the audit found; fails if it found a difference.
fn paid(text: &str) -> Option<u32> {
    let (_, audit) = text.split_once("audit: ")?;
    let (paid, rest) = audit.split_once(" reissuances as scheduled, ")?;
    assert!(rest.contains(" due, 0 differences"), "{rest}");
    paid.parse().ok()
}

#[test]
fn the_live_view_reissues_by_its_schedule() {
    let program = env!("CARGO_BIN_EXE_federation");
    // `script` (of Debian's bsdutils, which is always installed) provides a terminal.
    let command = format!("stty cols 100 rows 40; exec '{program}' demo {REISSUING}");
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env_remove("RUST_LOG")
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .expect("script runs");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("\u{1b}["), "no live view: {text}");
    assert!(paid(&text).expect("an audit") >= 2, "{text}");
}

#[test]
fn a_plain_demo_reissues_by_its_schedule() {
    let output = Command::new(env!("CARGO_BIN_EXE_federation"))
        .args(["demo", "--plain"])
        .args(REISSUING.split(' '))
        .env_remove("RUST_LOG")
        .output()
        .expect("the program runs");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(paid(&text).expect("an audit") >= 2, "{text}");
    for part in ["epsilon is running again", "reissued", "was killed"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Returns the running Kafka client processes that a program has started.
fn clients_of(parent: u32) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").expect("it exists");
    processes
        .filter_map(|process| Some(process.ok()?.path()))
        .filter(|process| is_client(process) && parent_of(process) == Some(parent))
        .collect()
}

fn is_client(process: &Path) -> bool {
    let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let mut words = command.split(|byte| *byte == 0);
    words.any(|word| word == b"kafka-client")
}

fn parent_of(process: &Path) -> Option<u32> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // After the name: the state and the parent.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// Whether librdkafka runs inside a process, according to the process's threads.
fn has_client_inside(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    threads.filter_map(Result::ok).any(|thread| {
        let name = std::fs::read_to_string(thread.path().join("comm"));
        name.is_ok_and(|name| name.starts_with("rdk:"))
    })
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !is() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn answers_of_external_brokers_are_parsed_outside_of_demo_and_bench() {
    // Without topics there are no blocks, but the clients start anyway.
    let brokers = MockBrokers::start(1).expect("ports");
    let brokers = brokers.brokers().expect("they run").join(",");
    for verb in [&["demo", "--plain"][..], &["bench"]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_federation"))
            .args(verb)
            .args(["--operators", "3", "--messenger", "kafka"])
            .args(["--brokers", &brokers])
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        wait_until("clients", || clients_of(program.id()).len() >= 2);
        let clients = clients_of(program.id());
        assert!(!has_client_inside(program.id()), "{verb:?}");
        let asked = Command::new("kill")
            .args(["-s", "INT", &program.id().to_string()])
            .status();
        assert!(asked.expect("kill runs").success());
        let ended = program.wait().expect("it ends").code();
        assert!(matches!(ended, Some(0 | 130)), "{verb:?}: {ended:?}");
        wait_until("their end", || !clients.iter().any(|one| is_client(one)));
    }
}
