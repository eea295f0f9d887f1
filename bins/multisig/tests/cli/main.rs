//! The program as used by people and scripts.

mod script;

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const KEYS: [&str; 3] = [
    "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
    "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
];

fn multisig(args: &[&str]) -> Output {
    command(args).output().expect("the program runs")
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_multisig"));
    command.args(args).stdin(Stdio::null());
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn script(m: &str) -> String {
    let answer = multisig(&[&["script", "--json", "-m", m], &KEYS[..]].concat());
    json(&answer)["script"]
        .as_str()
        .expect("a script")
        .to_owned()
}

#[test]
fn new_keys_are_written_to_files_and_make_the_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("keys");
    let out = out.to_str().expect("a name");
    let args = [
        "new",
        "-m",
        "3",
        "-n",
        "5",
        "--json",
        "--insecure-plain",
        "--out",
        out,
    ];
    let answer = json(&multisig(&args));
    assert_eq!(answer["encrypted"], false);
    assert_eq!(answer["secret_keys_wif"], Value::Null);
    let files = answer["files"].as_array().expect("files");
    assert_eq!(files.len(), 5);
    for (file, key) in files.iter().zip(answer["keys"].as_array().expect("keys")) {
        let shown = multisig(&["wif", "--json", "--file", file.as_str().expect("a name")]);
        assert_eq!(json(&shown)["public_key"], *key);
        assert_eq!(json(&shown)["secret_key"], Value::Null);
    }
    let settings = &answer["settings"];
    assert_eq!(settings["signblockscript"], answer["script"]);
    assert_eq!(settings["con_max_block_sig_size"], "395");
    // Existing files are not overwritten.
    let again = multisig(&args);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("never overwritten"),
        "{}",
        stderr(&again)
    );
}

#[test]
fn key_files_are_encrypted_under_the_pass_phrase() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a name");
    let args = [
        "new",
        "-m",
        "1",
        "-n",
        "1",
        "--json",
        "--out",
        out,
        "--passphrase",
        "env:PHRASE",
    ];
    let weak = command(&args)
        .env("PHRASE", "short")
        .output()
        .expect("it runs");
    assert_eq!(weak.status.code(), Some(1));
    let good = command(&args)
        .env("PHRASE", "four good words here")
        .output();
    let answer = json(&good.expect("it runs"));
    assert_eq!(answer["encrypted"], true);
    let file = answer["files"][0].as_str().expect("a name");
    let text = std::fs::read_to_string(file).expect("a file");
    assert!(text.contains("BEGIN AGE ENCRYPTED FILE"));
}

#[test]
fn secrets_are_printed_only_on_request_and_never_taken_from_arguments() {
    let answer = json(&multisig(&[
        "new",
        "-m",
        "1",
        "-n",
        "1",
        "--insecure-print",
        "--json",
    ]));
    let wif = answer["secret_keys_wif"][0]
        .as_str()
        .expect("a key")
        .to_owned();
    let mut child = command(&["wif", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    writeln!(child.stdin.take().expect("a pipe"), "{wif}").expect("it reads");
    let shown = child.wait_with_output().expect("an answer");
    assert_eq!(json(&shown)["public_key"], answer["keys"][0]);
    assert!(!String::from_utf8_lossy(&shown.stdout).contains(&wif));
    // It is refused as an argument, and not printed in the error.
    for verb in ["address", "script"] {
        let refused = multisig(&[verb, &wif]);
        assert_ne!(refused.status.code(), Some(0));
    }
    let refused = multisig(&["script", "-m", "1", &wif]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!stderr(&refused).contains(&wif), "{}", stderr(&refused));
}

#[test]
fn a_script_is_made_inspected_and_has_addresses() {
    let hex = script("2");
    let inspected = json(&multisig(&["inspect", "--json", &hex]));
    assert_eq!(inspected["valid"], true);
    assert_eq!(inspected["threshold"], 2);
    let addresses = json(&multisig(&[
        "address",
        "--json",
        "--network",
        "liquid",
        &hex,
    ]));
    assert!(
        addresses["p2wsh"]
            .as_str()
            .expect("an address")
            .starts_with("ex1q")
    );
    let ocean = json(&multisig(&["address", "--json", "--network", "gold", &hex]));
    assert_eq!(ocean["p2wsh"], Value::Null);
    let minority = multisig(&[&["script", "-m", "1"], &KEYS[..]].concat());
    assert_eq!(minority.status.code(), Some(2));
}

#[test]
fn a_script_by_the_old_generator_is_recognised() {
    let new = json(&multisig(&[
        "new",
        "-m",
        "7",
        "-n",
        "10",
        "--insecure-print",
        "--json",
    ]));
    let good = new["script"].as_str().expect("a script");
    // The old generator wrote 50 + 10 in decimal.
    let old = format!("{}60ae", &good[..good.len() - 4]);
    let answer = multisig(&["inspect", &old]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(
        stderr(&answer).contains("old generator for 7 of 10 keys"),
        "{}",
        stderr(&answer)
    );
    let answer = json(&multisig(&["inspect", "--json", &old]));
    assert_eq!(answer["old_generator"]["corrected_script"], good);
    // Anything that is not a script is wrong usage, for every verb.
    for nonsense in ["00", "zz"] {
        for verb in [&["inspect"][..], &["inspect", "--json"], &["address"]] {
            let answer = multisig(&[verb, &[nonsense]].concat());
            assert_eq!(answer.status.code(), Some(2), "{verb:?} {nonsense}");
            assert!(!stderr(&answer).contains("old generator"));
        }
    }
}

/// Writes a configuration and returns its path.
fn write(folder: &Path, name: &str, more: &str) -> String {
    let path = folder.join(name);
    let text = format!("chain=homechain\nsignblockscript={}\n{more}", script("2"));
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("a name").to_owned()
}

#[test]
fn a_chain_is_computed_and_refused_if_it_could_not_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = write(folder.path(), "good.conf", "con_max_block_sig_size=254\n");
    let compute = |conf: &str, more: &[&str]| {
        let args = ["genesis", "compute", "--node", "elements", "--conf", conf];
        multisig(&[&args[..], more].concat())
    };
    let answer = compute(&good, &["--json"]);
    assert!(answer.status.success(), "{}", stderr(&answer));
    let computed = json(&answer);
    assert_eq!(computed["problems"], serde_json::json!([]));
    assert_eq!(computed["required_signature_size"], 254);
    assert_eq!(computed["block_1"]["signblock_witness_limit"], 254);
    let manifest = compute(&good, &["--manifest"]);
    assert!(
        manifest
            .stdout
            .starts_with(b"federation chain manifest 1\n")
    );
    let explained = compute(&good, &["--explain"]);
    assert!(String::from_utf8_lossy(&explained.stdout).contains("signblockscript"));

    let small = write(folder.path(), "small.conf", "initialfreecoins=5\n");
    let refused = compute(&small, &["--json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(json(&refused)["problems"].as_array().map(Vec::len), Some(2));
    assert!(
        stderr(&refused).contains("set it to 254"),
        "{}",
        stderr(&refused)
    );
    assert!(stderr(&refused).contains("anyone can take the fees"));
    let wrong = write(folder.path(), "wrong.conf", "rpcport=5\n");
    let refused = compute(&wrong, &[]);
    assert!(
        stderr(&refused).contains("line 3: rpcport is outside"),
        "{}",
        stderr(&refused)
    );

    let diff = multisig(&[
        "genesis", "diff", "--json", "--node", "elements", &good, &small,
    ]);
    assert_eq!(diff.status.code(), Some(1));
    let names: Vec<_> = json(&diff)["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|difference| difference["name"].clone())
        .collect();
    assert!(
        names.contains(&"setting.initialfreecoins".into()),
        "{names:?}"
    );
    let same = multisig(&["genesis", "diff", "--node", "elements", &good, &good]);
    assert!(same.status.success());
}

#[test]
fn the_sweep_of_a_chain_is_made_and_resolves_its_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let more = "con_max_block_sig_size=254\ninitialfreecoins=5\ninitialreissuancetokens=2\n";
    let conf = write(folder.path(), "coins.conf", more);
    let to = format!("0020{}", "07".repeat(32));
    let sweep = |more: &[&str]| {
        let args = ["genesis", "sweep", "--conf", &conf, "--coins", &to];
        multisig(&[&args[..], more].concat())
    };
    let made = sweep(&["--tokens", &to]);
    assert!(made.status.success(), "{}", stderr(&made));
    let file = folder.path().join("sweep.hex");
    std::fs::write(&file, &made.stdout).expect("written");
    let file = file.to_str().expect("a name");
    let args = [
        "genesis", "compute", "--json", "--node", "elements", "--conf", &conf,
    ];
    let refused = multisig(&args);
    assert_eq!(refused.status.code(), Some(1));
    let computed = multisig(&[&args[..], &["--sweep", file]].concat());
    assert!(computed.status.success(), "{}", stderr(&computed));
    let txid = json(&sweep(&["--tokens", &to, "--json"]))["txid"].clone();
    let manifest = multisig(&[
        "genesis",
        "compute",
        "--manifest",
        "--node",
        "elements",
        "--conf",
        &conf,
        "--sweep",
        file,
    ]);
    let line = format!("sweep={}\n", txid.as_str().expect("an id"));
    assert!(String::from_utf8_lossy(&manifest.stdout).contains(&line));

    let missing = sweep(&[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("no destination for 2 of asset reissuance token"));
    let wrong = sweep(&["--tokens", "nowhere"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_password_in_the_url_is_refused_and_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let conf = write(folder.path(), "good.conf", "con_max_block_sig_size=254\n");
    let args = ["genesis", "verify", "--node", "elements", "--conf", &conf];
    let refused = multisig(&[&args[..], &["--node-url", "http://me:hunter2@127.0.0.1:1"]].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(!stderr(&refused).contains("hunter2"));
}

#[test]
fn signers_are_listed_and_checked_by_height() {
    let folder = tempfile::tempdir().expect("a folder");
    let compute = |name: &str, changes: &str, more: &[&str]| {
        let conf = write(folder.path(), name, &format!("embedcontract=0\n{changes}"));
        let args = ["genesis", "compute", "--node", "ocean", "--conf", &conf];
        multisig(&[&args[..], more].concat())
    };
    let two = script("2");
    let minority = format!("51{}", &two[2..]);
    let good = compute(
        "good.conf",
        &format!("signblockscriptchange={two}:1000\n"),
        &[],
    );
    assert!(good.status.success(), "{}", stderr(&good));
    let text = String::from_utf8_lossy(&good.stdout).into_owned();
    let listed = text
        .lines()
        .any(|line| line.starts_with("from height 1000") && line.trim_end().ends_with("2 of 3"));
    assert!(listed, "{text}");
    for (script, reason) in [
        ("51", "not M-of-N of compressed keys"),
        (minority.as_str(), "1 of 3 operators sign"),
    ] {
        let changes = format!("signblockscriptchange={script}:1000\n");
        let refused = compute("bad.conf", &changes, &["--json"]);
        assert_eq!(refused.status.code(), Some(1));
        let message = stderr(&refused);
        assert!(
            message.contains("from height 1000 on") && message.contains(reason),
            "{message}"
        );
        assert_eq!(json(&refused)["signers"][1]["from_height"], 1000);
    }
}
