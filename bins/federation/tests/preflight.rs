//! The messenger's checks in `federation preflight`.

#[path = "../../../crates/messenger-kafka/tests/it/stub.rs"]
#[expect(dead_code, reason = "the tests of the messenger use more of it")]
mod stub;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use federation_local::free_ports;
use federation_messenger_kafka::mock::MockBrokers;
use federation_operator::config::{Config, Overrides};
use serde_json::Value;
use stub::{Faults, Stub};
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_federation");

/// The files of five operators, three of which must sign.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ports = free_ports(15).expect("ports");
        let out = Command::new(PROGRAM)
            .args(["init", "--operators", "5", "--threshold", "3", "--out"])
            .arg(folder.path().join("fed"))
            .args(["--first-port", &ports.start.to_string()])
            .output()
            .await
            .expect("it runs");
        assert!(out.status.success(), "{out:?}");
        Self { folder }
    }

    fn operator(&self, place: usize) -> PathBuf {
        let fed = self.folder.path().join("fed");
        fed.join(format!("operator-{place}/operator.toml"))
    }

    /// Configures Kafka as their messenger.
    fn by_kafka(&self, brokers: &[String]) {
        for place in 0..5 {
            let file = self.operator(place);
            let text = fs::read_to_string(&file).expect("it exists");
            let lines = text.lines().filter(|line| !line.starts_with("messenger"));
            let text = lines.collect::<Vec<_>>().join("\n");
            let brokers = toml::Value::from(brokers.to_vec());
            let text = format!("messenger = \"kafka\"\n{text}\n[kafka]\nbrokers = {brokers}\n");
            fs::write(&file, text).expect("written");
        }
    }

    fn config(&self, place: usize) -> Config {
        Config::load(&self.operator(place), &Overrides::default()).expect("valid files")
    }

    async fn preflight(&self, place: usize, wait: &str) -> Checks {
        preflight(&self.operator(place), wait).await
    }
}

/// The checks of a preflight, by name.
struct Checks(Vec<(String, String, String)>);

async fn preflight(config: &Path, wait: &str) -> Checks {
    let mut command = Command::new(PROGRAM);
    command.args(["preflight", "--json", "--wait", wait, "--config"]);
    let run = command.arg(config).stderr(Stdio::inherit()).output();
    let out = tokio::time::timeout(Duration::from_secs(120), run)
        .await
        .expect("in time")
        .expect("it runs");
    let answer: Value = serde_json::from_slice(&out.stdout).expect("json");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = answer["checks"].as_array().expect("a list").iter();
    let of_messenger = checks.filter(|check| check["about"] == "messenger");
    Checks(
        of_messenger
            .map(|check| {
                (
                    text(&check["name"]),
                    text(&check["light"]),
                    text(&check["found"]),
                )
            })
            .collect(),
    )
}

impl Checks {
    fn light(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _, _)| known == name);
        found.map_or("not there", |(_, light, _)| light)
    }

    fn found(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _, _)| known == name);
        found.map_or("not there", |(_, _, found)| found)
    }

    fn all(&self) -> String {
        format!("{:#?}", self.0)
    }
}

/// Runs five preflights, each started a little later than the one before.
async fn five(files: &Files, wait: &str) -> Vec<Checks> {
    let one = async |place: u32| {
        tokio::time::sleep(Duration::from_millis(400) * place).await;
        files.preflight(place as usize, wait).await
    };
    let (a, b, c, d, e) = tokio::join!(one(0), one(1), one(2), one(3), one(4));
    vec![a, b, c, d, e]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_that_run_at_the_same_time_all_reach_each_other() {
    let files = Files::new().await;
    for checks in five(&files, "60s").await {
        assert_eq!(checks.light("quorum"), "green", "{}", checks.all());
        assert!(
            checks.0.iter().all(|(_, light, _)| light == "green"),
            "{}",
            checks.all()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_that_use_kafka_receive_each_others_messages() {
    let files = Files::new().await;
    let brokers = MockBrokers::start(1).expect("ports");
    files.by_kafka(&brokers.brokers().expect("they run"));
    let config = files.config(0);
    brokers
        .config(config.federation.id(), 5, config.me)
        .expect("topics");
    for checks in five(&files, "60s").await {
        assert!(
            checks.0.iter().all(|(_, light, _)| light == "green"),
            "{}",
            checks.all()
        );
    }
}

#[tokio::test]
async fn one_alone_with_kafka_is_red() {
    let files = Files::new().await;
    let brokers = MockBrokers::start(1).expect("ports");
    files.by_kafka(&brokers.brokers().expect("they run"));
    let config = files.config(0);
    brokers
        .config(config.federation.id(), 5, config.me)
        .expect("topics");
    let checks = files.preflight(0, "0s").await;
    assert_eq!(checks.light("own topic"), "green", "{}", checks.all());
    assert_eq!(checks.light("operator-1"), "yellow", "{}", checks.all());
    assert_eq!(checks.light("quorum"), "red", "{}", checks.all());
}

async fn beside(wrong: Faults) -> Checks {
    let files = Files::new().await;
    let stub = Stub::start(wrong).await;
    files.by_kafka(&[stub.address()]);
    files.preflight(0, "0s").await
}

#[tokio::test]
async fn brokers_that_advertise_an_unreachable_address_are_red() {
    let held = tokio::net::TcpSocket::new_v4().expect("a socket");
    held.bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let nobody = held.local_addr().expect("bound");
    let checks = beside(Faults {
        advertises: Some(nobody.port()),
        ..Faults::default()
    })
    .await;
    assert_eq!(checks.light("brokers"), "red", "{}", checks.all());
    let found = checks.found("brokers");
    assert!(found.contains(&format!("advertised {nobody}")), "{found}");
}

#[tokio::test]
async fn brokers_that_close_connections_are_red_and_named() {
    let checks = beside(Faults {
        closes: true,
        ..Faults::default()
    })
    .await;
    assert_eq!(checks.light("brokers"), "red", "{}", checks.all());
    assert!(
        checks.found("brokers").contains("127.0.0.1:"),
        "{}",
        checks.all()
    );
}

#[tokio::test]
async fn topics_that_are_missing_or_forbidden_are_red() {
    for (code, what) in [(3, "does not exist"), (29, "may not describe")] {
        let checks = beside(Faults {
            topics: code,
            ..Faults::default()
        })
        .await;
        assert_eq!(checks.light("own topic"), "red", "{}", checks.all());
        assert!(checks.found("own topic").contains(what), "{}", checks.all());
        assert_eq!(checks.light("quorum"), "red", "{}", checks.all());
    }
}
