//! `docs/ceremony.md`, followed by five people, each on their own machine.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    thread,
};

use federation_harness::{
    document::{Block, Document, Fault, Kind, Session, check_output},
    write_script,
};
use federation_local::free_ports;
use tempfile::TempDir;

use crate::{CEREMONY, load, reader};

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// The ports of each person: messenger, node, and RPC, which the bundle puts above the node's.
const PORTS: u16 = 3;

/// What the reader types and writes into files.
const PHRASE: &str = "correct horse battery staple nine";

/// One of the five.
struct Person {
    name: &'static str,
    folder: PathBuf,
    session: Session,
}

/// Five people, and the mailbox that carries their files.
struct People {
    /// The folder of all machines.
    _root: TempDir,
    people: Vec<Person>,
    identities: BTreeMap<&'static str, String>,
    words: Option<String>,
    first_port: u16,
}

impl People {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let editor = root.path().join("editor");
        let text = format!("#!/bin/sh\necho '{PHRASE}' > \"$1\"\n");
        write_script(&editor, &text).expect("written");
        let people = NAMES.map(|name| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).expect("created");
            let mut plan = reader(&folder)
                .with_answer(PHRASE)
                .with_variable("EDITOR", &editor);
            if let Some(nodes) = env::var_os("ELEMENTSD").map(PathBuf::from) {
                plan = plan.with_programs(nodes.parent().expect("a folder"));
            }
            let session = Session::start(&plan).expect("a shell");
            Person {
                name,
                folder,
                session,
            }
        });
        Self {
            _root: root,
            people: people.into(),
            identities: BTreeMap::new(),
            words: None,
            first_port: free_ports(PORTS * 5).expect("ports").start,
        }
    }

    /// Returns the block as one of them types it.
    fn typed(&self, place: usize, block: &Block) -> Block {
        let name = NAMES[place];
        let port = self.first_port + PORTS * u16::try_from(place).expect("small");
        let mut text = block.text.clone();
        for (member, key) in &self.identities {
            text = text.replace(&format!("{member}=KEY"), &format!("{member}={key}"));
        }
        text = text.replace("messenger.alice.example:7000", &format!("127.0.0.1:{port}"));
        text = text.replace(
            "node.alice.example:7041",
            &format!("127.0.0.1:{}", port + 1),
        );
        if !text.contains("--member") {
            text = text.replace("alice", name);
        }
        if let Some(words) = &self.words {
            text = text.replace("THE TWELVE WORDS", words);
        }
        let mut typed = block.clone();
        typed.text = text;
        typed
    }

    /// Runs a block for all of them at the same time, or only for the first; returns the first one's output.
    fn run(&mut self, block: &Block, one_party: bool) -> Result<Option<String>, Fault> {
        let count = if one_party { 1 } else { NAMES.len() };
        let typed: Vec<_> = (0..count).map(|place| self.typed(place, block)).collect();
        let printed: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = self
                .people
                .iter_mut()
                .zip(&typed)
                .map(|(person, block)| scope.spawn(move || person.session.run(block)))
                .collect();
            let all = all.into_iter();
            all.map(|one| one.join().expect("no panic")).collect()
        });
        let printed = printed.into_iter().collect::<Result<Vec<_>, _>>()?;
        for (name, printed) in NAMES.into_iter().zip(&printed) {
            self.record_spoken(name, printed.as_deref().unwrap_or_default());
        }
        self.carry();
        Ok(printed.into_iter().next().flatten())
    }

    /// Records what they read to each other.
    fn record_spoken(&mut self, name: &'static str, printed: &str) {
        for line in printed.lines() {
            if let Some(key) = line.strip_prefix("public key  ")
                && printed.contains("identity")
                && key.len() == 64
            {
                self.identities.insert(name, key.to_owned());
            }
            if let Some(printed) = line.strip_prefix("words     ") {
                let known = self.words.get_or_insert_with(|| printed.to_owned());
                assert_eq!(known, printed, "the same everywhere");
            }
        }
    }

    /// Copies each person's messages to everyone's inbox.
    fn carry(&self) {
        for sender in &self.people {
            let Ok(messages) = fs::read_dir(sender.folder.join("ceremony")) else {
                continue;
            };
            for message in messages {
                let path = message.expect("readable").path();
                let name = path.file_name().and_then(|name| name.to_str());
                let own =
                    ["proposal", "join", "approval"].map(|kind| format!("{kind}-{}-", sender.name));
                if let Some(name) = name
                    && own.iter().any(|own| name.starts_with(own))
                {
                    for receiver in &self.people {
                        let to = receiver.folder.join("inbox").join(name);
                        fs::copy(&path, to).expect("carried");
                    }
                }
            }
        }
    }

    fn follow(&mut self, document: &Document) -> Result<(), Fault> {
        let mut printed = None;
        for block in document.blocks() {
            match &block.kind {
                Kind::Run(how) => printed = self.run(block, how.one_party)?,
                Kind::Output => {
                    let printed = printed.as_deref().unwrap_or_default();
                    check_output(&block.text, printed).map_err(|what| Fault::new(block, what))?;
                }
                Kind::NotRun(_) => printed = None,
                _ => {}
            }
        }
        Ok(())
    }

    fn read(&self, place: usize, name: &str) -> Vec<u8> {
        let path = self.people[place].folder.join(name);
        read(&path)
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn five_people_follow_the_document_from_keys_to_blocks() {
    let document = load(CEREMONY);
    let mut people = People::new();
    people
        .follow(&document)
        .unwrap_or_else(|fault| panic!("{fault}"));
    let certificate = people.read(0, "ceremony/certificate.json");
    for (place, name) in NAMES.iter().enumerate() {
        assert_eq!(people.read(place, "ceremony/certificate.json"), certificate);
        let unpacked = format!("{name}/operator.toml");
        assert!(!people.read(place, &unpacked).is_empty());
    }
}
