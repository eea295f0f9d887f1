//! What the client's process has of the process that started it, and what it is stopped for.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use federation_messenger_kafka::{KafkaError, KafkaProcess};

use super::{
    process::{PROGRAM, start_process},
    *,
};

/// Longer than a client that hangs is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

async fn in_time(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "not in time: {what}");
}

async fn signal(name: &str, process: u32) {
    let kill = tokio::process::Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(kill.await.expect("a command of the system").success());
}

fn told(messenger: &KafkaProcess) -> String {
    let faults = messenger.health().faults;
    let told = faults.iter().find(|fault| fault.subject == "client");
    told.map(|fault| fault.reason.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_client_that_hangs_is_stopped_and_another_goes_on() {
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
    assert!(told(&b).contains("hung"), "{}", told(&b));
    a.broadcast("after".into()).await.expect("open");
    let frame = tokio::time::timeout(PATIENCE, b.recv()).await;
    assert_eq!(frame.expect("in time").expect("open"), "after");
    // Who was left alone has not lost his.
    assert_eq!(a.health().restarts, 0);
}

/// A client played by a script, which says what is written here and does then what the script says.
struct Played {
    folder: tempfile::TempDir,
    script: String,
}

impl Played {
    fn new(says: &[u8], script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("says"), says).expect("written");
        Self {
            folder,
            script: format!("cat \"$0\"/says; {script}"),
        }
    }

    async fn start(&self) -> Result<KafkaProcess, KafkaError> {
        let config = KafkaConfig::new(["127.0.0.1:1"], FEDERATION, OPERATORS, id(0));
        let folder = self.folder.path().to_str().expect("text");
        KafkaProcess::start(config.expect("valid"), "sh", ["-c", &self.script, folder]).await
    }
}

/// A record as a client makes it.
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
async fn a_client_that_reads_and_never_answers_is_stopped() {
    // The shell keeps the other pipe open.
    let played = Played::new(&started(), "cat > /dev/null; :");
    let messenger = played.start().await.expect("it says that it started");
    in_time("it is replaced", || messenger.health().restarts >= 1).await;
    assert!(told(&messenger).contains("hung"), "{}", told(&messenger));
    messenger.broadcast("a frame".into()).await.expect("open");
    messenger.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_stopped_and_holds_nobody_up() {
    let played = Played::new(&started(), "exec sleep 600");
    let messenger = played.start().await.expect("it says that it started");
    // More than pipes take.
    for _ in 0..10 {
        messenger
            .broadcast(vec![1; 1_000_000].into())
            .await
            .expect("open");
    }
    in_time("it is replaced", || messenger.health().restarts >= 1).await;
    assert!(told(&messenger).contains("hung"), "{}", told(&messenger));
}

#[tokio::test]
async fn a_client_that_says_what_none_says_is_replaced_each_time_and_its_words_are_told() {
    let no_frame = [&[RECEIVED][..], &u32::MAX.to_le_bytes()].concat();
    for (says, reason) in [
        (b"garbage of any length\n".to_vec(), "unknown kind 103"),
        (no_frame, "Received of 4294967295 bytes"),
        (record(RECEIVED, b""), "frame of nobody"),
        (record(RECEIVED, &[99, 1, 2]), "frame of nobody"),
        // Of this operator itself.
        (record(RECEIVED, &[0, 1, 2]), "frame of nobody"),
        (record(REPORT, b"{"), "its report is none"),
        (record(REPORT, b"[1, 2]"), "its report is none"),
        (record(REPORT, b"\xff\xff"), "its report is none"),
        (started(), "it said Started"),
        (record(PONG, b"").repeat(50), "not asked"),
        (
            record(FAILED, b"\x1b[2Jit gave up"),
            "\u{fffd}[2Jit gave up",
        ),
    ] {
        // What follows is not read: it is stopped.
        let says = [started(), says].concat();
        let played = Played::new(&says, "exec cat > /dev/null");
        let messenger = played.start().await.expect("it says that it started");
        in_time("it is replaced, twice", || messenger.health().restarts >= 2).await;
        let told = told(&messenger);
        assert!(told.contains(reason), "{told}: {reason}");
        messenger.broadcast("a frame".into()).await.expect("open");
        let waiting = tokio::time::timeout(Duration::from_millis(10), messenger.recv()).await;
        assert!(waiting.is_err(), "{waiting:?}");
    }
}

/// A report with counters as large as they can be.
fn report_of_much() -> Vec<u8> {
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
async fn a_client_that_floods_is_stopped_and_no_count_of_it_runs_over() {
    let says = [started(), report_of_much().repeat(20)].concat();
    let played = Played::new(&says, "while :; do tail -c +6 \"$0\"/says; done");
    let messenger = played.start().await.expect("it says that it started");
    in_time("it is replaced, twice", || {
        // The counters of those before are added.
        let stats = messenger.stats();
        assert!(stats.dropped_in >= messenger.stats().peers[1].dropped_in);
        messenger.health().restarts >= 2
    })
    .await;
    assert!(told(&messenger).contains("flooded"), "{}", told(&messenger));
    let stats = messenger.stats();
    assert_eq!(stats.dropped_in, u64::MAX);
    assert_eq!(stats.reconnects, u64::MAX);
    assert_eq!(stats.peers.len(), usize::from(OPERATORS));
}

#[tokio::test]
async fn the_client_has_few_variables_no_descriptors_and_no_folder_of_the_process_that_started_it()
{
    // What a library of that process might have left open for others.
    let left = tempfile::NamedTempFile::new().expect("a file");
    let script = format!("exec \"$0\" 7< {}", left.path().display());
    let brokers = MockBrokers::start(1).expect("ports");
    let messenger = KafkaProcess::start(config(&brokers, 0), "sh", ["-c", &script, PROGRAM])
        .await
        .expect("valid settings");
    let process = messenger.process_id().expect("it runs");
    let of = |what: &str| PathBuf::from(format!("/proc/{process}/{what}"));

    let variables = fs::read(of("environ")).expect("its own");
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
        // Shells set these.
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
    for entry in fs::read_dir(of("fd")).expect("its own") {
        let entry = entry.expect("a descriptor");
        // It may be closed by now.
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        assert_ne!(target, left.path());
        files += 1;
    }
    assert!(files >= 3, "{files} descriptors");

    let status = fs::read_to_string(of("status")).expect("its own");
    let rights = status.lines().find(|line| line.starts_with("NoNewPrivs:"));
    assert_eq!(rights, Some("NoNewPrivs:\t1"));
    messenger.close().await;
}

#[tokio::test]
async fn a_program_is_found_by_a_relative_path() {
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let program = folder.path().join("client");
    symlink(PROGRAM, &program).expect("made");
    let program = program.strip_prefix(std::env::current_dir().expect("it is somewhere"));
    let program = program.map_or_else(|_| folder.path().join("client"), PathBuf::from);
    assert!(program.is_relative(), "{}", program.display());
    let brokers = MockBrokers::start(1).expect("ports");
    let nothing: [&str; 0] = [];
    let messenger = KafkaProcess::start(config(&brokers, 0), program, nothing).await;
    messenger.expect("it is found").close().await;
}
