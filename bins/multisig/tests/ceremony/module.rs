//! A party with its block key in a hardware module and its identity in a keystore.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Output},
};

use federation_signer_hsm::testing::{SO_PIN, USER_PIN, conf_of, softhsm, token_folder};
use serde_json::Value;

use crate::common::{N, Parties, refused, text, words};

const PHRASE: &str = "correct horse battery staple nine";

/// The party with the module.
const OWNER: usize = 4;

struct Module(tempfile::TempDir);

impl Module {
    /// Creates a token with two keys, and the secrets in files.
    fn new() -> Self {
        let module = Self(token_folder());
        for (name, secret) in [("pin", USER_PIN), ("so-pin", SO_PIN), ("phrase", PHRASE)] {
            fs::OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(module.0.path().join(name))
                .and_then(|mut file| writeln!(file, "{secret}"))
                .expect("a file of our own");
        }
        let so_pin = format!("file:{}", module.0.path().join("so-pin").display());
        text(&module.multisig(&format!(
            "hsm init-token --label operator --so-pin {so_pin}"
        )));
        for label in ["block", "peg"] {
            text(&module.multisig(&format!("hsm keygen --label {label}")));
        }
        module
    }

    fn multisig(&self, line: &str) -> Output {
        self.command().args(words(line)).output().expect("it runs")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_multisig"));
        let pin = format!("file:{}", self.0.path().join("pin").display());
        command
            .current_dir(self.0.path())
            .env("SOFTHSM2_CONF", conf_of(self.0.path()))
            .env("PKCS11_MODULE", softhsm())
            .env("PKCS11_TOKEN", "label:operator")
            .env("PKCS11_PIN_SOURCE", pin);
        command
    }

    fn approve(&self, parties: &Parties, chain_words: &str) -> Output {
        let phrase = self.0.path().join("phrase");
        let line = format!(
            "ceremony approve --json --identity-key identity.key --passphrase file:{} --words",
            phrase.display()
        );
        self.command()
            .current_dir(parties.folder(OWNER))
            .args(words(&line))
            .arg(chain_words)
            .output()
            .expect("it runs")
    }

    fn join(&self, parties: &Parties, more: &str) -> Output {
        let phrase = self.0.path().join("phrase");
        let line = format!(
            "ceremony join --json --identity-key identity.key --passphrase file:{} --endpoint five.example:7000 --node-address five.example:7041 {more}",
            phrase.display()
        );
        self.command()
            .current_dir(parties.folder(OWNER))
            .args(words(&line))
            .output()
            .expect("it runs")
    }
}

fn file(output: &Output) -> String {
    let answer: Value = serde_json::from_str(&text(output)).expect("json");
    answer["file"].as_str().expect("a file").to_owned()
}

#[test]
fn keys_in_a_module_and_in_a_keystore_take_part_and_joining_again_is_idempotent() {
    let module = Module::new();
    let mut parties = Parties::new();
    let phrase = module.0.path().join("phrase");
    let new = format!(
        "key new identity.key --role identity --json --passphrase file:{}",
        phrase.display()
    );
    let made: Value = serde_json::from_str(&text(&parties.run_line(OWNER, &new))).expect("json");
    let key = made["public_key"].as_str().expect("a key").to_owned();
    parties.identities[OWNER] = key;

    let proposal = parties.init_with("elements", "chain=fedchain\n", "--peg");
    parties.give_all(&proposal);
    for party in 0..OWNER {
        text(&parties.run_line(party, "new -m 1 -n 1 --insecure-plain --out peg"));
        let line = crate::common::join_line(party, 7000) + " --peg-key peg/block-1.key";
        let join = parties.sent(party, &line);
        parties.give_all(&join);
    }
    let missing = module.join(&parties, "--block-hsm-key label:block");
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    refused(
        &module.join(
            &parties,
            "--block-hsm-key label:none --peg-hsm-key label:peg",
        ),
        "none",
    );
    let keys = "--block-hsm-key label:block --peg-hsm-key label:peg";
    let join = file(&module.join(&parties, keys));
    let before = fs::read(parties.folder(OWNER).join(&join)).expect("there");
    // The module would make a different signature, so the first join is returned again.
    assert_eq!(file(&module.join(&parties, keys)), join);
    assert_eq!(
        fs::read(parties.folder(OWNER).join(&join)).expect("there"),
        before
    );
    refused(
        &module.join(
            &parties,
            "--block-hsm-key label:peg --peg-hsm-key label:block",
        ),
        "signed a different join",
    );
    parties.give_all(&parties.folder(OWNER).join(&join));

    // If it is lost, it is made again with different proofs, which is not an equivocation.
    fs::remove_file(parties.folder(OWNER).join(&join)).expect("removed");
    let again = file(&module.join(&parties, keys));
    assert_ne!(again, join);
    parties.give_all(&parties.folder(OWNER).join(&again));
    for party in 0..N {
        let status = parties.status(party);
        assert_eq!(status["members"][OWNER]["said_two_things"], false);
    }
    let words = parties.status(0)["chain"]["words"].clone();
    for party in 0..N {
        let approved = if party == OWNER {
            module.approve(&parties, words.as_str().expect("words"))
        } else {
            parties.approve(party, words.as_str().expect("words"))
        };
        parties.give_all(&parties.folder(party).join(file(&approved)));
    }
    // The owner has lost its first proofs, so its certificate is a different file for the same
    // agreement.
    let agreed: Vec<_> = (0..N)
        .map(|party| {
            text(&parties.ceremony(party, "finish"));
            parties.json(party, "verify --json")["manifest"].clone()
        })
        .collect();
    assert!(agreed.windows(2).all(|pair| pair[0] == pair[1]));
    let certificate = |party| parties.folder(party).join("ceremony/certificate.json");
    // After adding the other's certificate, it makes the same file.
    text(&parties.give(OWNER, &certificate(0)));
    text(&parties.ceremony(OWNER, "finish"));
    let [one, other] = [0, OWNER].map(|party| fs::read(certificate(party)).expect("there"));
    assert_eq!(one, other);
}
