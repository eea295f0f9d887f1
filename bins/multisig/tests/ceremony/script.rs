//! `docs/ceremony.md`, followed to the letter by five people.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::common::{text, words};

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// What a machine answers where a person would be asked.
const PHRASE: &str = "correct horse battery staple nine";

/// The script: under each heading the commands of each block, and whether they are to be run.
struct Block {
    heading: String,
    to_run: bool,
    commands: Vec<String>,
}

fn document() -> Vec<Block> {
    let path = format!("{}/../../docs/ceremony.md", env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(path).expect("the document");
    let (mut blocks, mut heading, mut open) = (Vec::new(), String::new(), None);
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut heading);
        }
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => {
                open = Some(Block {
                    heading: heading.clone(),
                    to_run: kind == "sh",
                    commands: vec![String::new()],
                });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                let last = block.commands.last_mut().expect("one at least");
                last.push_str(line.trim_end_matches('\\'));
                if !line.ends_with('\\') {
                    block.commands.push(String::new());
                }
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    for block in &mut blocks {
        block.commands.retain(|command| !command.is_empty());
    }
    blocks
}

/// Five people, each with a machine and a phone.
struct People {
    root: tempfile::TempDir,
    identities: BTreeMap<&'static str, String>,
    /// What was sent to all, by its kind.
    sent: BTreeMap<String, Vec<PathBuf>>,
    words: Option<String>,
}

impl People {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(root.path().join("phrase"))
            .and_then(|mut file| writeln!(file, "{PHRASE}"))
            .expect("a file of our own");
        for name in NAMES {
            fs::create_dir(root.path().join(name)).expect("a folder");
        }
        let conf = root.path().join(NAMES[0]).join("chain.conf");
        fs::write(conf, "chain=fedchain\n").expect("written");
        Self {
            root,
            identities: BTreeMap::new(),
            sent: BTreeMap::new(),
            words: None,
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The command as this person types it.
    fn typed(&self, name: &str, command: &str) -> Vec<String> {
        let mut typed: Vec<String> = Vec::new();
        for word in words(command) {
            let member = word
                .strip_suffix("=KEY")
                .and_then(|member| self.identities.get(member));
            match (member, word.split_once("-....json")) {
                (Some(key), _) => typed.push(word.replace("KEY", key)),
                (None, Some((kind, _))) => {
                    // The one that the example names has begun; the others' files come likewise.
                    let kind = kind.split('-').next().expect("a kind");
                    let files = self.sent[kind].iter();
                    typed.extend(files.map(|file| file.display().to_string()));
                }
                (None, None) => typed.push(word.replace("alice", name)),
            }
        }
        if let Some(at) = typed.iter().position(|word| word == "--words") {
            typed.truncate(at + 1);
            typed.extend(self.words.clone());
        }
        let asks = typed.starts_with(&words("multisig key new"))
            || typed.iter().any(|word| word == "--identity-key");
        if asks {
            let phrase = self.root.path().join("phrase");
            typed.extend([
                "--passphrase".to_owned(),
                format!("file:{}", phrase.display()),
            ]);
        }
        typed
    }

    fn run(&mut self, name: &'static str, command: &str) {
        let typed = self.typed(name, command);
        assert_eq!(
            typed.first().map(String::as_str),
            Some("multisig"),
            "{command}"
        );
        let output = Command::new(env!("CARGO_BIN_EXE_multisig"))
            .args(&typed[1..])
            .current_dir(self.folder(name))
            .output()
            .expect("it runs");
        let told = text(&output);
        for line in told.lines() {
            if let Some(file) = line.strip_prefix("wrote     ") {
                self.send(name, Path::new(file));
            }
            if let Some(said) = line.strip_prefix("words     ") {
                let known = self.words.get_or_insert_with(|| said.to_owned());
                assert_eq!(known, said, "the same everywhere");
            }
        }
        if command.contains("key show identity") {
            let key = told.split_whitespace().find(|word| word.len() == 64);
            self.identities.insert(name, key.expect("a key").to_owned());
        }
    }

    /// The file goes to all, by its name.
    fn send(&mut self, name: &str, file: &Path) {
        let path = self.folder(name).join(file);
        let file = file.file_name().expect("a name").to_string_lossy();
        let kind = file.split('-').next().expect("a kind").to_owned();
        self.sent.entry(kind).or_default().push(path);
    }
}

#[test]
fn five_people_follow_the_document_from_keys_to_bundles() {
    let mut people = People::new();
    for block in document().iter().filter(|block| block.to_run) {
        let who = if block.heading.ends_with(": one party") {
            &NAMES[..1]
        } else {
            &NAMES[..]
        };
        for name in who {
            for command in &block.commands {
                people.run(name, command);
            }
        }
    }
    let certificates = NAMES.map(|name| {
        fs::read(people.folder(name).join("ceremony/certificate.json")).expect("there")
    });
    assert!(certificates.windows(2).all(|pair| pair[0] == pair[1]));
    for name in NAMES {
        assert!(people.folder(name).join(format!("{name}.zip")).exists());
    }
}

#[test]
fn every_option_in_the_document_exists() {
    for command in document().iter().flat_map(|block| &block.commands) {
        let typed = words(command);
        let verb = typed.iter().skip(1).take_while(|word| {
            word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
        });
        let verb: Vec<_> = verb.take(2).collect();
        let help = Command::new(env!("CARGO_BIN_EXE_multisig"))
            .args(verb)
            .arg("--help")
            .output()
            .expect("it runs");
        let help = text(&help);
        let options = typed.iter().filter(|word| word.starts_with('-'));
        for option in options {
            let known = help
                .lines()
                .any(|line| line.split([' ', ',']).any(|word| word == option));
            assert!(known, "`{option}` of `{command}` is in:\n{help}");
        }
    }
}
