//! What the client's process inherits, and what it is stopped for.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use federation_messenger_kafka::{KafkaError, KafkaProcess};

use super::{
    process::{PROGRAM, start_process},
    *,
};

/// Longer than it takes to detect a client that hangs.
const TIMEOUT: Duration = Duration::from_secs(120);

async fn in_time(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(TIMEOUT, waiting).await;
    assert!(waited.is_ok(), "timed out: {what}");
}

async fn signal(name: &str, process: u32) {
    let kill = tokio::process::Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(kill.await.expect("the system has kill").success());
}

fn client_fault(messenger: &KafkaProcess) -> String {
    let faults = messenger.health().faults;
    let fault = faults.iter().find(|fault| fault.subject == "client");
    fault.map(|fault| fault.reason.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_client_that_hangs_is_stopped_and_replaced() {
    let brokers = MockBrokers::start(1).expect("ports");
    let (a, b) = tokio::join!(
        start_process(config(&brokers, 0)),
        start_process(config(&brokers, 1))
    );
    let hung = b.process_id().expect("it runs");
    signal("-STOP", hung).await;
    in_time("it is replaced", || {
        b.health().restarts == 1 && b.health().ready
    })
    .await;
    assert_ne!(b.process_id(), Some(hung));
    assert!(client_fault(&b).contains("hung"), "{}", client_fault(&b));
    a.broadcast("after".into()).await.expect("open");
    let frame = tokio::time::timeout(TIMEOUT, b.recv()).await;
    assert_eq!(frame.expect("in time").expect("open"), "after");
    // The other client keeps running.
    assert_eq!(a.health().restarts, 0);
}

/// A client played by a shell script: it sends fixed output and then runs the script.
struct ScriptedClient {
    folder: tempfile::TempDir,
    script: String,
}

impl ScriptedClient {
    fn new(output: &[u8], script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("output"), output).expect("written");
        Self {
            folder,
            script: format!("cat \"$0\"/output; {script}"),
        }
    }

    async fn start(&self) -> Result<KafkaProcess, KafkaError> {
        let config = KafkaConfig::new(["127.0.0.1:1"], FEDERATION, OPERATORS, id(0));
        let folder = self.folder.path().to_str().expect("text");
        KafkaProcess::start(config.expect("valid"), "sh", ["-c", &self.script, folder]).await
    }
}

/// Encodes a record as a client does.
fn record(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short").to_le_bytes();
    [&[kind][..], &length, bytes].concat()
}

const RECEIVED: u8 = 2;
const STARTED: u8 = 3;
const FAILED: u8 = 4;
const REPORT: u8 = 5;
const PONG: u8 = 7;

fn started() -> Vec<u8> {
    record(STARTED, b"")
}

#[tokio::test]
async fn a_client_that_reads_but_never_answers_is_stopped() {
    // The shell keeps its output pipe open.
    let client = ScriptedClient::new(&started(), "cat > /dev/null; :");
    let messenger = client.start().await.expect("it reports its start");
    in_time("it is replaced", || messenger.health().restarts >= 1).await;
    assert!(
        client_fault(&messenger).contains("hung"),
        "{}",
        client_fault(&messenger)
    );
    messenger.broadcast("a frame".into()).await.expect("open");
    messenger.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_stopped_and_delays_nobody() {
    let client = ScriptedClient::new(&started(), "exec sleep 600");
    let messenger = client.start().await.expect("it reports its start");
    // More than a pipe holds.
    for _ in 0..10 {
        messenger
            .broadcast(vec![1; 1_000_000].into())
            .await
            .expect("open");
    }
    in_time("it is replaced", || messenger.health().restarts >= 1).await;
    assert!(
        client_fault(&messenger).contains("hung"),
        "{}",
        client_fault(&messenger)
    );
}

#[tokio::test]
async fn a_client_that_violates_the_protocol_is_replaced_each_time_and_the_reason_is_reported() {
    let oversized = [&[RECEIVED][..], &u32::MAX.to_le_bytes()].concat();
    for (output, reason) in [
        (b"garbage of any length\n".to_vec(), "unknown kind 103"),
        (oversized, "received-frame record of 4294967295 bytes"),
        (record(RECEIVED, b""), "frame of an unknown operator"),
        (
            record(RECEIVED, &[99, 1, 2]),
            "frame of an unknown operator",
        ),
        // This operator itself.
        (record(RECEIVED, &[0, 1, 2]), "frame of an unknown operator"),
        (record(REPORT, b"{"), "malformed report"),
        (record(REPORT, b"[1, 2]"), "malformed report"),
        (record(REPORT, b"\xff\xff"), "malformed report"),
        (started(), "unexpected started record"),
        (record(PONG, b"").repeat(50), "ping that was not sent"),
        (
            record(FAILED, b"\x1b[2Jit gave up"),
            "\u{fffd}[2Jit gave up",
        ),
    ] {
        // Anything after that is not read: the client is stopped.
        let output = [started(), output].concat();
        let client = ScriptedClient::new(&output, "exec cat > /dev/null");
        let messenger = client.start().await.expect("it reports its start");
        in_time("it is replaced, twice", || messenger.health().restarts >= 2).await;
        let fault = client_fault(&messenger);
        assert!(fault.contains(reason), "{fault}: {reason}");
        messenger.broadcast("a frame".into()).await.expect("open");
        let waiting = tokio::time::timeout(Duration::from_millis(10), messenger.recv()).await;
        assert!(waiting.is_err(), "{waiting:?}");
    }
}

/// Returns a report with the largest possible counters.
fn largest_report() -> Vec<u8> {
    let most = u64::MAX;
    let counters = format!(
        "{{\"connected\":true,\"frames_in\":{most},\"bytes_in\":{most},\"frames_out\":{most},\
         \"bytes_out\":{most},\"dropped_in\":{most},\"dropped_out\":{most},\"reconnects\":{most}}}"
    );
    let report = format!(
        "{{\"brokers\":{counters},\"operators\":{{\"1\":{counters},\"2\":{counters},\"77\":{counters}}},\
         \"health\":{{\"ready\":true,\"brokers\":[],\"topics\":[],\"confirmed\":{most},\
         \"faults\":[],\"restarts\":{most}}}}}"
    );
    record(REPORT, report.as_bytes())
}

#[tokio::test]
async fn a_client_that_floods_is_stopped_and_no_counter_overflows() {
    let output = [started(), largest_report().repeat(20)].concat();
    let client = ScriptedClient::new(&output, "while :; do tail -c +6 \"$0\"/output; done");
    let messenger = client.start().await.expect("it reports its start");
    in_time("it is replaced, twice", || {
        // The counters of earlier clients are added.
        let stats = messenger.stats();
        assert!(stats.dropped_in >= messenger.stats().peers[1].dropped_in);
        messenger.health().restarts >= 2
    })
    .await;
    assert!(
        client_fault(&messenger).contains("flooded"),
        "{}",
        client_fault(&messenger)
    );
    let stats = messenger.stats();
    assert_eq!(stats.dropped_in, u64::MAX);
    assert_eq!(stats.reconnects, u64::MAX);
    assert_eq!(stats.peers.len(), usize::from(OPERATORS));
}

#[tokio::test]
async fn the_client_inherits_few_variables_and_neither_descriptors_nor_the_working_directory() {
    // A file that a library of this process might have left open.
    let left = tempfile::NamedTempFile::new().expect("a file");
    let script = format!("exec \"$0\" 7< {}", left.path().display());
    let brokers = MockBrokers::start(1).expect("ports");
    let messenger = KafkaProcess::start(config(&brokers, 0), "sh", ["-c", &script, PROGRAM])
        .await
        .expect("valid settings");
    let process = messenger.process_id().expect("it runs");
    let of = |what: &str| PathBuf::from(format!("/proc/{process}/{what}"));

    let variables = fs::read(of("environ")).expect("readable");
    let names: Vec<_> = variables
        .split(|byte| *byte == 0)
        .filter_map(|variable| variable.split(|byte| *byte == b'=').next())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    assert!(
        std::env::var_os("CARGO_MANIFEST_DIR").is_some(),
        "cargo set it"
    );
    for name in names.iter().filter(|name| !name.is_empty()) {
        let known = ["PATH", "LD_LIBRARY_PATH", "RUST_LOG", "RUST_BACKTRACE"];
        let groups = [
            "SSL_CERT_",
            "OPENSSL_",
            "KRB5",
            "SASL_",
            "RES_OPTIONS",
            "LOCALDOMAIN",
        ];
        // Set by shells.
        let shell = ["PWD", "OLDPWD", "SHLVL", "_"];
        assert!(
            known.contains(&&**name)
                || shell.contains(&&**name)
                || groups.iter().any(|group| name.starts_with(group)),
            "{name} of {names:?}"
        );
    }
    assert!(names.contains(&"PATH".to_owned()), "{names:?}");

    assert_eq!(
        fs::read_link(of("cwd")).expect("a folder"),
        PathBuf::from("/")
    );

    let mut files = 0;
    for entry in fs::read_dir(of("fd")).expect("readable") {
        let entry = entry.expect("a descriptor");
        // It may have been closed meanwhile.
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        assert_ne!(target, left.path());
        files += 1;
    }
    assert!(files >= 3, "{files} descriptors");

    let status = fs::read_to_string(of("status")).expect("readable");
    let rights = status.lines().find(|line| line.starts_with("NoNewPrivs:"));
    assert_eq!(rights, Some("NoNewPrivs:\t1"));
    messenger.close().await;
}

#[tokio::test]
async fn a_program_may_be_given_by_a_relative_path() {
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let program = folder.path().join("client");
    symlink(PROGRAM, &program).expect("made");
    let program =
        program.strip_prefix(std::env::current_dir().expect("there is a current directory"));
    let program = program.map_or_else(|_| folder.path().join("client"), PathBuf::from);
    assert!(program.is_relative(), "{}", program.display());
    let brokers = MockBrokers::start(1).expect("ports");
    let nothing: [&str; 0] = [];
    let messenger = KafkaProcess::start(config(&brokers, 0), program, nothing).await;
    messenger.expect("the program is found").close().await;
}
