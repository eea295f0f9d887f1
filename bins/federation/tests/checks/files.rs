//! `federation config check` opens what the daemon opens, with the same code: it accepts what the daemon
//! accepts, and reports what the daemon refuses, with its line.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Output};

use federation_keystore::{Passphrase, WorkFactor, create};
use federation_local::free_ports;
use federation_signer::{KeyRole, Secret};
use serde_json::Value;

use crate::world::{change, federation, stderr, stdout, text};

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_ports(9).expect("ports").start.to_string();
        let fed = folder.path().join("fed");
        let args = ["init", "--operators", "3", "--first-port", &port, "--out"];
        let made = federation(&[&args[..], &[text(&fed)]].concat());
        assert!(made.status.success(), "{}", stderr(&made));
        // Before the keys, `run` reads only the node's credentials.
        fs::create_dir_all(fed.join("operator-0/node/fedchain")).expect("created");
        fs::write(fed.join("operator-0/node/fedchain/.cookie"), "a:b").expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("fed/operator-0").join(name)
    }

    fn public(&self) -> PathBuf {
        self.folder.path().join("fed/federation.toml")
    }

    fn ask(&self, args: &[&str]) -> Output {
        let config = self.path("operator.toml");
        federation(&[args, &["--config", text(&config)]].concat())
    }

    /// Returns the problems that `config check` reports: file, line, message and help of each.
    fn problems(&self) -> Vec<(String, Option<u64>, String, String)> {
        let output = self.ask(&["config", "check", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).expect("json");
        let problems = found["problems"].as_array().expect("a list");
        assert_eq!(output.status.success(), problems.is_empty(), "{found}");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let problems = problems.iter().map(|problem| {
            let path = PathBuf::from(text(&problem["file"]));
            let file = path.file_name().expect("a name").to_string_lossy();
            (
                file.into_owned(),
                problem["line"].as_u64(),
                text(&problem["message"]),
                text(&problem["cure"]),
            )
        });
        problems.collect()
    }

    /// Returns the message of the only problem, which must be at the line with this beginning.
    fn problem(&self, file: &str, line: &str) -> String {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let (found, at, message, cure) = &problems[0];
        assert_eq!(found, file, "{problems:?}");
        let path = if file == "federation.toml" {
            self.public()
        } else {
            self.path(file)
        };
        let text = fs::read_to_string(path).expect("it exists");
        let at = usize::try_from(at.expect("a line")).expect("small");
        let found = text.lines().nth(at - 1).expect("a line");
        assert!(found.starts_with(line), "{found}: {problems:?}");
        assert!(!cure.is_empty(), "{problems:?}");
        message.clone()
    }

    /// Checks that a daemon refuses the files for the same reason, before it contacts anyone.
    fn run_refuses(&self, message: &str) {
        let output = self.ask(&["run"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains(message), "{output:?}");
    }
}

#[test]
fn good_files_pass_and_the_output_says_what_was_opened_and_what_was_not_contacted() {
    let files = Files::new();
    let output = files.ask(&["config", "check"]);
    assert!(output.status.success(), "{output:?}");
    let printed = stdout(&output);
    for part in [
        "block key 0",
        "identity key ",
        "other operators not contacted",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert_eq!(files.problems(), []);
}

#[test]
fn a_key_file_that_the_daemon_refuses_is_refused_with_its_line() {
    let files = Files::new();
    let key = files.path("block.key");
    let good = fs::read_to_string(&key).expect("it exists");
    let mode = |mode| {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("permissions changed")
    };
    mode(0o644);
    let message = files.problem("operator.toml", "block_key_file");
    assert!(
        message.contains("is open to others (mode 644)"),
        "{message}"
    );
    files.run_refuses(&message);
    // Apart from the key everything is valid.
    let output = files.ask(&["config", "check", "--without-keys"]);
    assert!(output.status.success(), "{output:?}");
    mode(0o600);
    fs::write(&key, "garbage").expect("written");
    let message = files.problem("operator.toml", "block_key_file");
    assert!(
        message.contains("does not contain a usable key"),
        "{message}"
    );
    files.run_refuses(&message);
    // Another operator's key.
    let other = files.folder.path().join("fed/operator-1/block.key");
    fs::copy(other, &key).expect("copied");
    let message = files.problem("operator.toml", "block_key_file");
    assert!(message.contains("is not this operator's"), "{message}");
    files.run_refuses(&message);
    fs::write(&key, good).expect("written");
    let other = files.folder.path().join("fed/operator-1/identity.key");
    fs::copy(other, files.path("identity.key")).expect("copied");
    let message = files.problem("operator.toml", "identity_key_file");
    assert!(message.contains("is not this operator's"), "{message}");
    files.run_refuses(&message);
}

#[test]
fn a_keystore_without_its_pass_phrase_or_with_another_is_refused() {
    let files = Files::new();
    let config = files.path("operator.toml");
    let plain = fs::read_to_string(files.path("block.key")).expect("it exists");
    let secret = Secret::from_hex(plain.trim()).expect("a key");
    let (right, wrong) = (Passphrase::generate(), Passphrase::generate());
    let factor = WorkFactor::insecure_for_tests();
    create(
        &files.path("block.age"),
        KeyRole::Block,
        &secret,
        &right,
        factor,
    )
    .expect("created");
    change(&config, "block_key_file = \"block.key\"\n", "");
    let table = "[keys.block]\nkind = \"keystore\"\nfile = \"block.age\"\npassphrase = ";
    let whole = fs::read_to_string(&config).expect("it exists");
    let with = |source: &str| {
        fs::write(&config, format!("{whole}\n{table}\"{source}\"\n")).expect("written");
    };
    let secret = |text: &str| {
        let path = files.path("phrase");
        fs::write(&path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions changed");
    };
    with("file:phrase");
    let message = files.problem("operator.toml", "[keys.block]");
    assert!(message.contains("the pass phrase of"), "{message}");
    files.run_refuses(&message);
    secret(wrong.expose());
    let message = files.problem("operator.toml", "[keys.block]");
    assert!(message.contains("does not open keystore"), "{message}");
    files.run_refuses(&message);
    secret(right.expose());
    assert_eq!(files.problems(), []);
    with("env:FEDERATION_NO_SUCH_PHRASE");
    let message = files.problem("operator.toml", "[keys.block]");
    assert!(message.contains("FEDERATION_NO_SUCH_PHRASE"), "{message}");
    files.run_refuses(&message);
    with("credential:block");
    let problems = files.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].3.contains("LoadCredential="), "{problems:?}");
}

#[test]
fn malformed_addresses_are_refused_with_their_lines() {
    let files = Files::new();
    let config = files.path("operator.toml");
    let good = fs::read_to_string(&config).expect("it exists");
    let line = |begin: &str| {
        let mut lines = good.lines();
        lines.find(|line| line.starts_with(begin)).expect("a line")
    };
    let with = |begin: &str, to: &str| {
        fs::write(&config, good.replace(line(begin), to)).expect("written");
    };
    with("listen", "listen = \"xx\"");
    let message = files.problem("operator.toml", "listen");
    assert!(
        message.contains("endpoint `xx` must end in a colon and a port"),
        "{message}"
    );
    files.run_refuses(&message);
    for url in ["ftp://127.0.0.1:1", "127.0.0.1", "http://"] {
        with("url", &format!("url = \"{url}\""));
        let message = files.problem("operator.toml", "url");
        assert!(message.contains("is not a usable URL"), "{message}");
        files.run_refuses(&message);
    }
    let kafka = |rest: &str| {
        let text = format!("messenger = \"kafka\"\n{good}\n[kafka]\n{rest}\n");
        fs::write(&config, text).expect("written");
        let message = files.problem("operator.toml", "[kafka]");
        files.run_refuses(&message);
    };
    kafka("brokers = [\"no broker\"]");
    kafka("brokers = [\"b:9092\"]\nsettings = { \"no.such.setting\" = \"1\" }");
    let secret = "brokers = [\"b:9092\"]\nsecret_files = { \"sasl.password\" = \"no-secret\" }";
    let text = format!("messenger = \"kafka\"\n{good}\n[kafka]\n{secret}\n");
    fs::write(&config, text).expect("written");
    let problems = files.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let (file, _, message, cure) = &problems[0];
    assert!(
        file == "no-secret" && message.contains("cannot be read"),
        "{problems:?}"
    );
    assert!(!cure.is_empty(), "{problems:?}");
    fs::write(&config, &good).expect("written");
    change(
        &files.public(),
        "endpoint = \"127.0.0.1:",
        "endpoint = \"a b:",
    );
    let problems = files.problems();
    assert!(!problems.is_empty());
    for (file, line, message, _) in problems {
        assert_eq!(file, "federation.toml", "{message}");
        assert!(line.is_some() && message.contains("a b:"), "{message}");
    }
}

#[test]
fn an_unreadable_password_is_reported() {
    let files = Files::new();
    let config = files.path("operator.toml");
    let cookie = "cookie = \"node/fedchain/.cookie\"";
    change(&config, cookie, "user = \"u\"\npassword_file = \"none\"");
    let problems = files.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].0 == "none" && problems[0].2.contains("cannot be read"));
}
