//! `multisig key` as used by people and scripts.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    process::{Command, Output, Stdio},
};

/// The program in its own folder, with a pass phrase in the file `phrase`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.secret("phrase", "correct horse battery");
        folder
    }

    fn secret(&self, name: &str, text: &str) {
        fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(self.0.path().join(name))
            .and_then(|mut file| writeln!(file, "{text}"))
            .expect("a file of our own");
    }

    fn key(&self, args: &[&str]) -> Output {
        self.key_with(args, "")
    }

    fn key_with(&self, args: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_multisig"))
            .arg("key")
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut pipe = child.stdin.take().expect("piped");
        // It may not read its input.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        child.wait_with_output().expect("it ends")
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
}

const PHRASE: [&str; 2] = ["--passphrase", "file:phrase"];

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&stdout(output)).expect("json")
}

fn refused(output: &Output, part: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(part) && text.contains("help: "), "{text}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn a_key_is_made_shown_exported_and_its_pass_phrase_changed() {
    let folder = Folder::new();
    let key = |args: &[&str]| folder.key(args);
    let made = json(&key(&[
        "new", "a.key", "--role", "peg", PHRASE[0], PHRASE[1], "--json",
    ]));
    assert_eq!(made["role"], "peg");
    assert!(made["passphrase"].is_null(), "it was not generated");
    assert_eq!(mode(&folder.path("a.key")), 0o600);
    assert_eq!(json(&key(&["show", "a.key", "--json"])), made);
    let hex = |args: &[&str]| {
        let mut all = vec!["export", "a.key", "--insecure-print", "hex"];
        all.extend(args);
        stdout(&key(&all))
    };
    let secret = hex(&PHRASE);
    assert_eq!(secret.trim().len(), 64);

    let changed = json(&key(&[
        "passwd",
        "a.key",
        PHRASE[0],
        PHRASE[1],
        "--generate",
        "--json",
    ]));
    assert_eq!(changed["public_key"], made["public_key"]);
    let phrase = changed["passphrase"].as_str().expect("shown once");
    assert_eq!(phrase.len(), 34);
    refused(
        &key(&["show", "a.key", "--check", PHRASE[0], PHRASE[1]]),
        "does not open",
    );
    folder.secret("made", phrase);
    stdout(&key(&[
        "show",
        "a.key",
        "--check",
        "--passphrase",
        "file:made",
    ]));
    assert_eq!(hex(&["--passphrase", "file:made"]), secret);
    refused(
        &key(&["new", "a.key", PHRASE[0], PHRASE[1]]),
        "not overwritten",
    );
}

#[test]
fn hex_and_wif_are_imported_from_a_file_and_a_pipe() {
    let folder = Folder::new();
    let hex = "11".repeat(32);
    folder.secret("plain", &hex);
    let import = |name: &str, args: &[&str], stdin: &str| {
        let mut all = vec!["import", name, "--json", PHRASE[0], PHRASE[1]];
        all.extend(args);
        folder.key_with(&all, stdin)
    };
    let of_file = json(&import("a.key", &["--from", "plain"], ""));
    assert_eq!(
        json(&import("b.key", &[], &hex))["public_key"],
        of_file["public_key"]
    );
    let wif = stdout(&folder.key(&[
        "export",
        "a.key",
        "--insecure-print",
        "wif",
        PHRASE[0],
        PHRASE[1],
    ]));
    assert_eq!(
        json(&import("c.key", &[], &wif))["public_key"],
        of_file["public_key"]
    );
    refused(
        &import("d.key", &["--network", "gold"], &wif),
        "another chain",
    );
    refused(&import("d.key", &[], "rubbish"), "no valid key");
    assert!(!folder.path("d.key").exists());
}

#[test]
fn an_identity_is_shown_in_the_format_of_the_roster() {
    let folder = Folder::new();
    let args = ["new", "a.key", "--role", "identity", "--generate", "--json"];
    let made = json(&folder.key(&args));
    assert_eq!(made["public_key"].as_str().map(str::len), Some(64));
}

#[test]
fn a_pass_phrase_can_come_from_a_descriptor_of_a_file_or_a_pipe() {
    let folder = Folder::new();
    for (name, source) in [("a.key", "3< phrase"), ("b.key", "3< <(cat phrase)")] {
        let call = format!("exec \"$0\" key new {name} --passphrase fd:3 {source}");
        let output = Command::new("bash")
            .args(["-c", &call, env!("CARGO_BIN_EXE_multisig")])
            .current_dir(folder.0.path())
            .output()
            .expect("it runs");
        stdout(&output);
        stdout(&folder.key(&["show", name, "--check", PHRASE[0], PHRASE[1]]));
    }
}

#[test]
fn weak_world_readable_and_missing_pass_phrases_are_refused() {
    let folder = Folder::new();
    folder.secret("weak", "hunter2");
    refused(
        &folder.key(&["new", "a.key", "--passphrase", "file:weak"]),
        "at least 12",
    );
    fs::set_permissions(folder.path("phrase"), fs::Permissions::from_mode(0o644)).expect("ours");
    refused(
        &folder.key(&["new", "a.key", PHRASE[0], PHRASE[1]]),
        "open to others",
    );
    refused(
        &folder.key(&["new", "a.key", "--passphrase", "env:NO_SUCH_PHRASE"]),
        "set NO_SUCH_PHRASE",
    );
    // A pass phrase itself is not a source.
    let output = folder.key(&["new", "a.key", "--passphrase", "file"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!folder.path("a.key").exists());
}
