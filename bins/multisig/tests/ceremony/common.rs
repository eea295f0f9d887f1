//! Five machines, simulated by five folders that share only the files that are sent.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

pub(crate) const N: usize = 5;

/// Five machines: five folders that share only the files that are sent.
pub(crate) struct Parties {
    pub(crate) root: tempfile::TempDir,
    pub(crate) identities: Vec<String>,
}

pub(crate) fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn refused(output: &Output, part: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(part), "{text}");
}

impl Parties {
    pub(crate) fn new() -> Self {
        let mut parties = Self {
            root: tempfile::tempdir().expect("a folder"),
            identities: Vec::new(),
        };
        for party in 0..N {
            fs::create_dir(parties.folder(party)).expect("a folder");
            let made = parties.run(
                party,
                &words("new -m 1 -n 1 --insecure-plain --json --out block"),
            );
            let block: Value = serde_json::from_str(&text(&made)).expect("json");
            assert!(block["keys"][0].is_string());
            let made = parties.run(
                party,
                &words("new -m 1 -n 1 --insecure-plain --json --out identity"),
            );
            let identity: Value = serde_json::from_str(&text(&made)).expect("json");
            let key = identity["keys"][0].as_str().expect("a key");
            parties.identities.push(key[2..].to_owned());
        }
        parties
    }

    pub(crate) fn folder(&self, party: usize) -> PathBuf {
        self.root.path().join(format!("machine-{party}"))
    }

    pub(crate) fn run(&self, party: usize, args: &[String]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_multisig"))
            .args(args)
            .current_dir(self.folder(party))
            .output()
            .expect("it runs")
    }

    pub(crate) fn run_line(&self, party: usize, line: &str) -> Output {
        self.run(party, &words(line))
    }

    pub(crate) fn ceremony(&self, party: usize, line: &str) -> Output {
        let mut args = words("ceremony");
        args.extend(words(line));
        self.run(party, &args)
    }

    pub(crate) fn init(&self, node: &str, conf: &str) -> PathBuf {
        self.init_with(node, conf, "")
    }

    pub(crate) fn init_with(&self, node: &str, conf: &str, more: &str) -> PathBuf {
        fs::write(self.folder(0).join("chain.conf"), conf).expect("written");
        let mut line =
            format!("init --json --node {node} --conf chain.conf -m 3 --interval 2 {ME} {more}");
        for (party, key) in self.identities.iter().enumerate() {
            line += &format!(" --member party-{party}={key}");
        }
        self.sent(0, &line)
    }

    /// Runs a verb and returns the file that it asks to send.
    pub(crate) fn sent(&self, party: usize, line: &str) -> PathBuf {
        let answer: Value = serde_json::from_str(&text(&self.ceremony(party, line))).expect("json");
        self.folder(party)
            .join(answer["file"].as_str().expect("a file"))
    }

    pub(crate) fn join(&self, party: usize) -> PathBuf {
        self.sent(party, &join_line(party, 7000))
    }

    pub(crate) fn give(&self, party: usize, file: &std::path::Path) -> Output {
        self.ceremony(party, &format!("add --json {}", file.display()))
    }

    pub(crate) fn give_all(&self, file: &std::path::Path) {
        for party in 0..N {
            text(&self.give(party, file));
        }
    }

    pub(crate) fn status(&self, party: usize) -> Value {
        serde_json::from_str(&text(&self.ceremony(party, "status --json"))).expect("json")
    }

    /// All approve the words and finish. Returns the certificate, which is the same everywhere.
    pub(crate) fn approve_and_finish(&self) -> Vec<u8> {
        let words = self.status(0)["chain"]["words"].as_str().map(str::to_owned);
        let words = words.expect("a chain");
        for party in 0..N {
            let answer: Value =
                serde_json::from_str(&text(&self.approve(party, &words))).expect("json");
            let file = answer["file"].as_str().expect("a file");
            self.give_all(&self.folder(party).join(file));
        }
        let certificates: Vec<_> = (0..N)
            .map(|party| {
                text(&self.ceremony(party, "finish"));
                fs::read(self.folder(party).join("ceremony/certificate.json")).expect("there")
            })
            .collect();
        assert!(certificates.windows(2).all(|pair| pair[0] == pair[1]));
        certificates.into_iter().next().expect("five")
    }

    pub(crate) fn json_of(&self, output: &Output) -> Value {
        serde_json::from_str(&text(output)).expect("json")
    }

    pub(crate) fn json(&self, party: usize, line: &str) -> Value {
        serde_json::from_str(&text(&self.ceremony(party, line))).expect("json")
    }

    pub(crate) fn approve(&self, party: usize, chain_words: &str) -> Output {
        let mut args = words(&format!("ceremony approve --json {ME} --words"));
        args.push(chain_words.to_owned());
        self.run(party, &args)
    }
}

pub(crate) const ME: &str = "--identity-key identity/block-1.key";

pub(crate) fn join_line(party: usize, port: u16) -> String {
    format!(
        "join --json {ME} --block-key block/block-1.key --endpoint party-{party}.example:{port} --node-address party-{party}.example:7041"
    )
}

pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
