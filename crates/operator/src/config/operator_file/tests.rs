//! Valid files load; all errors of invalid ones are reported, by line.

mod locations;
mod reissuance;

use proptest::prelude::*;

use super::*;
use crate::config::init::{InitError, InitPlan, PayTo, write};

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// The files that `init` writes for three operators.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = plan(&folder.path().join("fed"));
        write(&plan).expect("written");
        Self { folder }
    }

    fn public(&self) -> PathBuf {
        self.folder.path().join("fed/federation.toml")
    }

    fn private(&self) -> PathBuf {
        self.folder.path().join("fed/operator-1/operator.toml")
    }

    fn load(&self) -> Result<Config, ConfigReport> {
        Config::load(&self.private(), &Overrides::default())
    }

    /// Loads with a text replaced in one of the files and returns the problems.
    fn problems_with(
        path: impl Fn(&Self) -> PathBuf,
        from: &str,
        to: &str,
    ) -> Vec<(Option<usize>, String)> {
        let files = Self::new();
        let path = path(&files);
        let text = std::fs::read_to_string(&path).expect("there");
        assert!(text.contains(from), "`{from}` not in {text}");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
        let report = files.load().expect_err("invalid files");
        report
            .problems
            .into_iter()
            .map(|p| (p.line, p.message))
            .collect()
    }
}

fn plan(folder: &Path) -> InitPlan {
    InitPlan {
        folder: folder.to_owned(),
        operators: 3,
        threshold: 2,
        dialect: federation_chain::Dialect::Dynafed,
        chain: "devnet".to_owned(),
        interval: Duration::from_secs(2),
        first_port: 21000,
        coins: PayTo::Anyone,
        fees: PayTo::Anyone,
    }
}

#[test]
fn the_files_that_init_writes_load_and_can_be_overridden() {
    let files = Files::new();
    let config = files.load().expect("valid files");
    assert_eq!(config.federation.name(config.me), "operator-1");
    assert_eq!(config.federation.threshold(), 2);
    let zmq = |per_address| MessengerAccess::Zmq {
        listen: "127.0.0.1:21003".to_owned(),
        per_address,
    };
    assert_eq!(config.messenger, zmq(None));
    assert_eq!(config.node.url, "http://127.0.0.1:21004");
    let overrides = Overrides {
        node_url: Some("http://node:1".to_owned()),
        operator: Some("operator-2".to_owned()),
        ..Overrides::default()
    };
    let config = Config::load(&files.private(), &overrides).expect("valid files");
    assert_eq!(config.node.url, "http://node:1");
    assert_eq!(config.me.to_u8(), 2);
    let again = write(&plan(&files.folder.path().join("fed")));
    assert!(matches!(again, Err(InitError::NotEmpty(_))));
    let text = std::fs::read_to_string(files.private()).expect("there");
    let with = |connections: &str| {
        let line = format!("connections_per_address = {connections}\nlisten =");
        let text = text.replacen("listen =", &line, 1);
        std::fs::write(files.private(), text).expect("written");
        files.load()
    };
    assert_eq!(with("16").expect("valid files").messenger, zmq(Some(16)));
    for bad in ["0", "1", "-1", "65536", "\"many\""] {
        assert!(with(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_height_at_which_classic_ends_is_read() {
    let files = Files::new();
    assert_eq!(files.load().expect("valid files").classic_until, None);
    let text = std::fs::read_to_string(files.public()).expect("there");
    let with = |line: &str| text.replacen("chain =", &format!("{line}\nchain ="), 1);
    let valid = with("protocol = { classic_until = 100, kafka = \"kafka:9092\" }");
    std::fs::write(files.public(), valid).expect("written");
    let height = Some(BlockHeight::new(100));
    let config = files.load().expect("valid files");
    assert_eq!(config.classic_until, height);
    assert_eq!(config.classic_kafka.as_deref(), Some("kafka:9092"));
    for bad in [
        "protocol = { classic_until = 0 }",
        "protocol = { classic_until = -1 }",
        "protocol = { classic_until = \"soon\" }",
        "protocol = { until = 100 }",
        "protocol = \"classic\"",
    ] {
        std::fs::write(files.public(), with(bad)).expect("written");
        assert!(files.load().is_err(), "{bad}");
    }
}

#[test]
fn the_sweep_is_a_transaction_in_hex() {
    let files = Files::new();
    assert_eq!(files.load().expect("valid files").sweep, None);
    let text = std::fs::read_to_string(files.public()).expect("there");
    let with = |line: &str| text.replacen("chain =", &format!("{line}\nchain ="), 1);
    // Version 2, no witness, one input, no output, no lock time.
    let hex = format!(
        "020000000001{}00000000 00ffffffff 00 00000000",
        "07".repeat(32)
    );
    let hex = hex.replace(' ', "");
    std::fs::write(files.public(), with(&format!("sweep = \"{hex}\""))).expect("written");
    let sweep = files.load().expect("valid files").sweep.expect("a sweep");
    assert_eq!(sweep.to_bytes().len(), hex.len() / 2);
    for bad in ["", "no", &hex[2..], &format!("{hex}00")] {
        std::fs::write(files.public(), with(&format!("sweep = \"{bad}\""))).expect("written");
        let problems = files.load().expect_err("an invalid sweep").problems;
        assert_eq!(problems.len(), 1, "{bad}: {problems:?}");
        assert!(problems[0].line.is_some(), "{problems:?}");
    }
}

#[test]
fn kafka_is_configured_by_brokers_and_librdkafkas_settings() {
    let files = Files::new();
    let path = files.private();
    let text = std::fs::read_to_string(&path).expect("there");
    std::fs::write(folder_of(&path).join("password"), "secret\n").expect("written");
    let kafka = r#"
        [kafka]
        brokers = ["one:9092", "two"]
        topic_prefix = "chain"
        replication = 2
        retention = "5m"
        [kafka.settings]
        "security.protocol" = "SASL_PLAINTEXT"
        "socket.keepalive.enable" = true
        "socket.timeout.ms" = 5000
        [kafka.secret_files]
        "sasl.password" = "password"
    "#;
    std::fs::write(&path, format!("messenger = \"kafka\"\n{text}{kafka}")).expect("written");
    let config = files.load().expect("valid files");
    let MessengerAccess::Kafka(access) = &config.messenger else {
        panic!("{:?}", config.messenger);
    };
    assert_eq!(access.brokers, ["one:9092", "two"]);
    assert_eq!(access.replication, Some(2));
    assert_eq!(access.retention, Some(Duration::from_secs(300)));
    let settings = access.all_settings().expect("a password");
    let shown: Vec<_> = settings.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        shown,
        [
            "sasl.password=secret",
            "security.protocol=SASL_PLAINTEXT",
            "socket.keepalive.enable=true",
            "socket.timeout.ms=5000"
        ]
    );
}

#[test]
fn another_epoch_makes_another_federation_and_the_default_is_epoch_0() {
    let files = Files::new();
    let with = |line: &str| {
        let text = std::fs::read_to_string(files.public()).expect("there");
        let at = text.find("epoch = ").expect("init writes it");
        let end = at + text[at..].find('\n').expect("a line");
        let changed = format!("{}{line}{}", &text[..at], &text[end..]);
        let path = files.public().with_file_name("other.toml");
        std::fs::write(&path, changed).expect("written");
        let overrides = Overrides {
            federation: Some(path),
            ..Overrides::default()
        };
        Config::load(&files.private(), &overrides)
    };
    let federation = |line: &str| with(line).expect("valid files").federation;
    let as_written = files.load().expect("valid files").federation;
    assert_eq!(federation("# no epoch"), as_written);
    assert_eq!(federation("epoch = 0").epoch(), 0);
    let next = federation("epoch = 1");
    assert_eq!(next.epoch(), 1);
    assert_ne!(next.id(), as_written.id());
    for wrong in ["epoch = -1", "epoch = \"one\"", "epoch = 4294967296"] {
        let report = with(wrong).expect_err(wrong).to_string();
        assert!(report.contains("`epoch` must be an integer"), "{report}");
    }
}

#[test]
fn the_height_up_to_which_a_key_is_new_comes_from_the_file_or_a_flag() {
    let files = Files::new();
    assert_eq!(files.load().expect("valid files").new_key_until, None);
    let text = std::fs::read_to_string(files.private()).expect("there");
    std::fs::write(files.private(), format!("new_key_until = 120\n{text}")).expect("written");
    let until = |height| Some(BlockHeight::new(height));
    assert_eq!(files.load().expect("valid files").new_key_until, until(120));
    let overrides = Overrides {
        new_key_until: Some(7),
        ..Overrides::default()
    };
    let config = Config::load(&files.private(), &overrides).expect("valid files");
    assert_eq!(config.new_key_until, until(7));
}

#[test]
fn the_number_of_missed_blocks_for_an_alarm_is_at_least_one() {
    let files = Files::new();
    assert_eq!(files.load().expect("valid files").missed_blocks, None);
    let text = std::fs::read_to_string(files.private()).expect("there");
    let with = |blocks: &str| {
        let text = format!("missed_blocks = {blocks}\n{text}");
        std::fs::write(files.private(), text).expect("written");
        files.load()
    };
    let blocks = with("20").expect("valid files").missed_blocks;
    assert_eq!(blocks.map(NonZeroU32::get), Some(20));
    for bad in ["0", "-1", "\"few\""] {
        let report = with(bad).expect_err(bad).to_string();
        assert!(report.contains("`missed_blocks`"), "{report}");
    }
}

#[test]
fn call_limits_exceed_the_timeouts_of_the_keys_and_the_node() {
    let files = Files::new();
    let usual = crate::CallLimits::default();
    assert_eq!(files.load().expect("valid files").call_limits(), usual);
    let overrides = Overrides {
        node_timeout: Some(Duration::from_secs(300)),
        ..Overrides::default()
    };
    let config = Config::load(&files.private(), &overrides).expect("valid files");
    assert!(config.call_limits().node > Duration::from_secs(300));
    assert_eq!(
        config.call_limits().key,
        usual.key,
        "no key is in the node's wallet"
    );
}

#[test]
fn an_unknown_messenger_and_a_password_in_the_file_are_reported() {
    for (extra, part) in [
        ("messenger = \"pigeon\"", "unknown messenger `pigeon`"),
        ("messenger = \"kafka\"", "no brokers are set"),
        (
            "kafka = { brokers = [\"a\"], settings = { \"sasl.password\" = \"x\" } }",
            "`sasl.password` is a secret",
        ),
        (
            "kafka = { brokers = [1] }",
            "`brokers` must be an array of strings",
        ),
        ("kafka = { replication = 0 }", "`replication` is 0"),
        ("kafka = { broker = [\"a\"] }", "unknown key `broker`"),
    ] {
        let files = Files::new();
        let path = files.private();
        let text = std::fs::read_to_string(&path).expect("there");
        std::fs::write(&path, format!("{extra}\n{text}")).expect("written");
        let report = files.load().expect_err(extra);
        let found = report.problems.iter().any(|p| p.message.contains(part));
        assert!(found, "{extra}: {report}");
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().expect("a folder")
}

#[cfg(unix)]
#[test]
fn key_files_are_accessible_to_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new();
    let key = files.folder.path().join("fed/operator-0/block.key");
    let mode = std::fs::metadata(key).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn each_mistake_is_reported_with_its_line() {
    let public = |from: &str, to: &str| Files::problems_with(Files::public, from, to);
    let private = |from: &str, to: &str| Files::problems_with(Files::private, from, to);
    let one = |found: Vec<(Option<usize>, String)>, line: usize, part: &str| {
        assert!(
            found
                .iter()
                .any(|(at, message)| *at == Some(line) && message.contains(part)),
            "line {line}: {part}: {found:?}"
        );
    };
    one(
        public("threshold = 2", "treshold = 2"),
        7,
        "unknown key `treshold`",
    );
    one(public("threshold = 2", "threshold = 9"), 7, "threshold 9");
    one(
        public("dialect = \"dynafed\"", "dialect = \"liquid\""),
        5,
        "liquid",
    );
    one(
        public("genesis = \"", "genesis = \"zz"),
        6,
        "is not a block hash",
    );
    one(
        public("interval = \"2000ms\"", "interval = \"often\""),
        8,
        "not a duration",
    );
    one(
        public("key_order = \"as-given\"", "key_order = \"random\""),
        9,
        "unknown order",
    );
    one(
        public("name = \"operator-2\"", "name = \"operator-1\""),
        26,
        "two operators have the name",
    );
    one(
        public("endpoint = \"127.0.0.1:21000\"", "endpoint = \"nowhere\""),
        17,
        "not a host:port",
    );
    one(
        public(
            "max_block_signature_size = 254",
            "max_block_signature_size = 9",
        ),
        10,
        "bytes of block signatures",
    );
    one(
        private("operator = \"operator-1\"", "operator = \"nobody\""),
        4,
        "not in the roster",
    );
    one(
        private("[node]\n", "[node]\ncookies = 1\n"),
        11,
        "unknown key `cookies`",
    );
    one(private("listen = ", "listen == "), 6, "not valid TOML");
    for (from, to) in [
        ("http://127.0.0.1:21004", "ftp://127.0.0.1:21004"),
        ("http://127.0.0.1:21004", "127.0.0.1"),
    ] {
        one(private(from, to), 11, "is not a usable URL");
    }
    let minority = public("threshold = 2", "threshold = 1");
    assert!(
        minority
            .iter()
            .any(|(_, message)| message.contains("not a majority")),
        "{minority:?}"
    );
}

#[test]
fn the_problems_of_both_files_are_reported_together() {
    let files = Files::new();
    let public = std::fs::read_to_string(files.public()).expect("there");
    let broken = public
        .replace("dialect = \"dynafed\"", "dialect = \"x\"")
        .replace("2000ms", "y");
    std::fs::write(files.public(), broken).expect("written");
    std::fs::write(
        files.private(),
        "federation = \"../federation.toml\"\nnodes = 1\n",
    )
    .expect("written");
    let report = files.load().expect_err("invalid files");
    let text = report.to_string();
    for part in [
        "`dialect`",
        "`interval`",
        "unknown key `nodes`",
        "`operator` is missing",
        "`url` is missing",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_missing_file_and_a_folder_are_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = Config::load(&folder.path().join("none.toml"), &Overrides::default());
    assert!(
        report
            .expect_err("no such file")
            .to_string()
            .contains("cannot be read")
    );
    assert!(Config::load(folder.path(), &Overrides::default()).is_err());
}

#[test]
fn a_password_file_holds_one_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "secret\n").expect("written");
    assert_eq!(
        text::read_password(&file, "").expect("a password"),
        "secret"
    );
    for bad in ["", "\n", "two\nlines\n"] {
        std::fs::write(&file, bad).expect("written");
        assert!(text::read_password(&file, "").is_err(), "{bad:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_text_is_reported_without_a_panic(public in "\\PC{0,200}", private in "(?s).{0,200}") {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("federation.toml"), public).expect("written");
        let path = folder.path().join("operator.toml");
        std::fs::write(&path, private).expect("written");
        let report = Config::load(&path, &Overrides::default()).expect_err("never valid by chance");
        prop_assert!(!report.problems.is_empty());
    }

    #[test]
    fn a_changed_character_causes_no_panic(
at: prop::sample::Index, with in any::<char>()) {
        let files = Files::new();
        let text = std::fs::read_to_string(files.public()).expect("there");
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars[at] = with;
        std::fs::write(files.public(), chars.into_iter().collect::<String>()).expect("written");
        if let Err(report) = files.load() {
            prop_assert!(!report.problems.is_empty());
        }
    }
}
