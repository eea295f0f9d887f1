//! `multisig hsm` with SoftHSM, as used by people and scripts.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Output},
};

use federation_multisig::MultisigScript;
use federation_signer_hsm::testing::{SO_PIN, USER_PIN, conf_of, softhsm, token_folder};
use serde_json::Value;

/// The program with a folder for tokens, and the PINs in files.
struct Hsm(tempfile::TempDir);

const OTHERS: [&str; 2] = [
    "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
];

impl Hsm {
    fn new() -> Self {
        let hsm = Self(token_folder());
        hsm.secret("pin", USER_PIN);
        hsm.secret("so-pin", SO_PIN);
        hsm
    }

    /// With a token that has the label `operator`.
    fn with_token() -> Self {
        let hsm = Self::new();
        let made = hsm.json(&[
            "init-token",
            "--label",
            "operator",
            "--so-pin",
            "file:so-pin",
        ]);
        assert_eq!(made["label"], "operator");
        hsm
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

    fn hsm(&self, args: &[&str]) -> Output {
        self.command(&[&["hsm"], args].concat())
    }

    fn command(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_multisig"))
            .args(args)
            .current_dir(self.0.path())
            .env("SOFTHSM2_CONF", conf_of(self.0.path()))
            .env("PKCS11_MODULE", softhsm())
            .env("PKCS11_TOKEN", "label:operator")
            .env("PKCS11_PIN_SOURCE", "file:pin")
            .output()
            .expect("it runs")
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.hsm(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("json")
    }

    fn refused(&self, args: &[&str], code: i32, part: &str) {
        let output = self.hsm(args);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(part), "`{part}` is in {text}");
    }
}

#[test]
fn one_command_makes_a_key_and_prints_the_script() {
    let hsm = Hsm::with_token();
    let script = [
        "--script", "-m", "2", "--with", OTHERS[0], "--with", OTHERS[1],
    ];
    let output = hsm.hsm(&[&["keygen", "--label", "block"], &script[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let [key, hex] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("a key and a script: {text}");
    };
    let parsed = MultisigScript::from_hex(hex).expect("a script");
    assert_eq!(parsed.threshold().to_u8(), 2);
    assert_eq!(parsed.keys().len(), 3);
    let public_key = key.parse().expect("a key");
    let position = parsed.position(&public_key).expect("the new key is in it");

    let again = hsm.json(&[&["pubkey", "--key", "label:block"], &script[..]].concat());
    assert_eq!(
        (&again["public_key"], &again["script"]),
        (&key.into(), &hex.into())
    );
    let test = hsm.json(&[
        "test",
        "--key",
        "label:block",
        "--script",
        hex,
        "--count",
        "3",
    ]);
    assert_eq!(test["position"], position);
    assert_eq!(test["signatures"], 3);
    hsm.refused(
        &["keygen", "--label", "block"],
        1,
        "has a key `block` already",
    );
}

#[test]
fn an_invalid_script_is_refused_before_a_key_is_made() {
    let hsm = Hsm::with_token();
    let keygen = |args: &[&str], part: &str| {
        hsm.refused(
            &[&["keygen", "--label", "block", "--script"], args].concat(),
            2,
            part,
        );
    };
    keygen(
        &["-m", "1", "--with", OTHERS[0], "--with", OTHERS[1]],
        "not a majority",
    );
    keygen(&["-m", "3", "--with", OTHERS[0]], "");
    keygen(
        &["-m", "2", "--with", OTHERS[0], "--with", OTHERS[0]],
        "duplicate key",
    );
    keygen(
        &["-m", "2", "--with", "02abcd"],
        "not a compressed public key",
    );
    keygen(&[], "--threshold");
    assert_eq!(
        hsm.json(&["list", "--token", "label:operator"]),
        Value::Array(vec![])
    );
}

#[test]
fn keys_are_imported_from_keystores_and_plain_files() {
    let hsm = Hsm::with_token();
    hsm.secret("phrase", "correct horse battery");
    hsm.secret("plain", &"11".repeat(32));
    let made = hsm.command(&[
        "key",
        "new",
        "block.key",
        "--passphrase",
        "file:phrase",
        "--json",
    ]);
    let made: Value = serde_json::from_slice(&made.stdout).expect("json");
    let from = |file| ["import", "--label", file, "--from", file];
    let keystore = hsm.json(&[&from("block.key")[..], &["--passphrase", "file:phrase"]].concat());
    assert_eq!(keystore["public_key"], made["public_key"]);
    hsm.json(&from("plain"));
    let listed = hsm.json(&["list", "--token", "label:operator"]);
    let labels: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| (key["label"].as_str(), key["extractable"].as_bool()))
        .collect();
    assert_eq!(
        labels,
        [
            (Some("block.key"), Some(false)),
            (Some("plain"), Some(false))
        ]
    );
}

#[test]
fn keys_in_systemd_credentials_are_read_with_the_mode_that_systemd_sets() {
    use std::os::unix::fs::PermissionsExt;

    let hsm = Hsm::with_token();
    let credentials = hsm.0.path().join("credentials");
    fs::create_dir(&credentials).expect("a folder");
    hsm.secret("credentials/phrase", "correct horse battery");
    hsm.secret("credentials/plain", &"11".repeat(32));
    let phrase = ["--passphrase", "file:credentials/phrase"];
    let made = hsm.command(&[&["key", "new", "credentials/block.key"][..], &phrase].concat());
    assert!(made.status.success(), "{made:?}");
    for file in ["phrase", "plain", "block.key"] {
        let open = fs::Permissions::from_mode(0o444);
        fs::set_permissions(credentials.join(file), open).expect("its mode");
    }
    let import = |file: &str, is_credential: bool| {
        let from = format!("credentials/{file}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_multisig"));
        if is_credential {
            command.env("CREDENTIALS_DIRECTORY", &credentials);
        }
        command
            .args(["hsm", "import", "--label", file, "--from", &from])
            .args(phrase)
            .current_dir(hsm.0.path())
            .env("SOFTHSM2_CONF", conf_of(hsm.0.path()))
            .env("PKCS11_MODULE", softhsm())
            .env("PKCS11_TOKEN", "label:operator")
            .env("PKCS11_PIN_SOURCE", "file:pin")
            .output()
            .expect("it runs")
    };
    for file in ["plain", "block.key"] {
        let elsewhere = import(file, false);
        let stderr = String::from_utf8_lossy(&elsewhere.stderr);
        assert!(stderr.contains("open to others"), "{file}: {stderr}");
        let credential = import(file, true);
        assert!(credential.status.success(), "{file}: {credential:?}");
    }
}

#[test]
fn tokens_are_listed_and_none_is_erased() {
    let hsm = Hsm::with_token();
    let tokens = hsm.json(&["list"]);
    let ready = tokens
        .as_array()
        .expect("a list")
        .iter()
        .find(|token| token["label"] == "operator")
        .expect("the token");
    assert_eq!(ready["has_user_pin"], true);
    let slot = ready["slot"].to_string();
    let init = ["init-token", "--so-pin", "file:so-pin"];
    let again = [&init[..], &["--label", "operator"]].concat();
    hsm.refused(&again, 1, "would be erased");
    let over = [&init[..], &["--label", "other", "--slot", &slot]].concat();
    hsm.refused(&over, 1, "would be erased");
}

#[test]
fn errors_name_the_mistake_and_how_to_correct_it() {
    let hsm = Hsm::with_token();
    hsm.refused(
        &["list", "--module", "/no/such.so"],
        1,
        "there is no PKCS#11 module",
    );
    hsm.refused(&["list", "--module", "pin"], 1, "is not a PKCS#11 module");
    hsm.refused(
        &["pubkey", "--key", "label:block"],
        1,
        "has no private key label:block",
    );
    hsm.refused(
        &["pubkey", "--key", "block"],
        2,
        "expected label:NAME or id:HEX",
    );
    hsm.refused(
        &["pubkey", "--key", "label:x", "--token", "label:nobody"],
        1,
        "found: `operator`",
    );
    hsm.secret("wrong", "99999999");
    hsm.refused(
        &["pubkey", "--key", "label:x", "--pin", "file:wrong"],
        1,
        "refuses the PIN",
    );
}
