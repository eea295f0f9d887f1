//! The documents of this repository, followed to the letter: every fenced block is run, is read, or
//! says why not. `federation_harness::document` explains the info strings.

mod ceremony;
mod codes;
mod fixtures;
mod formats;
#[path = "../ceremony/programs.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod programs;
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
};

use federation_harness::document::{Document, Programs, Session, SessionPlan};
use federation_local::free_ports;
use programs::{federation, multisig};
use tempfile::TempDir;

/// The document that is followed by several people.
const CEREMONY: &str = "docs/ceremony.md";

/// The repository's folder.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().expect("the repository")
}

/// A reader with both programs, starting in a folder.
fn reader(folder: &Path) -> SessionPlan {
    let _built = multisig();
    let programs = federation().parent().expect("a folder");
    SessionPlan::new(folder)
        .with_programs(programs)
        // The keys are new, even if the others make block 1 without this operator.
        .with_variable("FEDERATION_NEW_KEY_UNTIL", "1000000")
}

/// All Markdown of the repository.
fn names() -> Vec<String> {
    let root = repository();
    let mut folders = vec![root.clone()];
    let mut names = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let entry = entry.expect("readable");
            // Symbolic links are followed at their target.
            if entry.file_type().expect("known").is_symlink() {
                continue;
            }
            let path = entry.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let is_built = name.is_some_and(|name| name == "target" || name.starts_with('.'));
            if path.is_dir() && !is_built {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                let path = path.strip_prefix(&root).expect("below");
                names.push(path.to_str().expect("text").to_owned());
            }
        }
    }
    names.sort();
    names
}

fn load(name: &str) -> Document {
    let loaded = Document::load(&repository(), name);
    let mut document = loaded.unwrap_or_else(|fault| panic!("{fault}"));
    // The usual ports may be in use on this machine.
    let init = "federation init ";
    if document
        .blocks()
        .iter()
        .any(|block| block.text.contains(init))
    {
        let ports = free_ports(15).expect("ports");
        let with_ports = format!("{init}--first-port {} ", ports.start);
        document.fill_in(&[(init, &with_ports)]).expect("it exists");
    }
    document
}

/// Follows a document from its first block to its last.
fn follow(document: &Document, folder: &TempDir, plan: &SessionPlan) {
    let mut session = Session::start(plan).expect("a shell");
    let run = document.run(&mut session, |block| formats::read(block, folder.path()));
    if let Err(fault) = run {
        panic!("{fault}");
    }
}

#[test]
fn documents_without_a_fixture_work_as_pasted() {
    let faults: Vec<_> = names()
        .iter()
        .filter(|name| *name != CEREMONY && !fixtures::has(name))
        .filter_map(|name| {
            let document = load(name);
            let folder = tempfile::tempdir().expect("a folder");
            let mut session = Session::start(&reader(folder.path())).expect("a shell");
            let run = document.run(&mut session, |block| formats::read(block, folder.path()));
            run.err()
        })
        .map(|fault| fault.to_string())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn every_verb_and_option_in_the_documents_exists() {
    let mut programs = Programs::new(&[federation(), multisig()]);
    let faults: Vec<_> = names()
        .iter()
        .filter_map(|name| programs.check(&load(name)).err())
        .map(|fault| fault.to_string())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn all_documents_are_checked() {
    let names = names();
    for name in [
        "README.md",
        "docs/operations.md",
        "fuzz/README.md",
        CEREMONY,
    ] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    for name in fixtures::NAMES {
        assert!(names.iter().any(|known| known == name), "{name} is gone");
    }
}
