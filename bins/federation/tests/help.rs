//! Everything that errors and help refer to exists on a machine that has only the programs.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// Returns the sources of all programs and libraries.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for group in ["bins", "crates"] {
        for package in std::fs::read_dir(root.join(group)).expect("a folder") {
            read_all(&package.expect("readable").path().join("src"), &mut found);
        }
    }
    assert!(found.len() > 100, "{} files", found.len());
    found
}

fn read_all(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read_all(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("readable");
            found.push((path, text));
        }
    }
}

#[test]
fn no_message_refers_to_a_file_of_the_repository() {
    for (path, text) in sources() {
        for line in text.lines().map(str::trim_start) {
            let is_said = !line.starts_with("//") && !line.contains("include_str!");
            assert!(
                !is_said || !line.contains("docs/"),
                "{}: {line}",
                path.display()
            );
        }
    }
}

#[test]
fn every_chapter_that_a_message_names_exists() {
    let mut topics = BTreeSet::new();
    for (_, text) in sources() {
        for program in ["federation help ", "multisig help "] {
            let named = text.split(program).skip(1);
            let topic = named.map(|rest| {
                rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            });
            topics.extend(topic.filter(|topic| !topic.is_empty() && topic != "TOPIC"));
        }
    }
    assert!(topics.contains("a-store-is-lost"), "{topics:?}");
    for topic in topics {
        let output = Command::new(env!("CARGO_BIN_EXE_federation"))
            .args(["help", &topic])
            .output()
            .expect("it runs");
        assert!(output.status.success(), "no chapter `{topic}`");
    }
}

#[test]
fn help_lists_verbs_and_topics_and_refuses_unknown_ones() {
    let help = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_federation"));
        command.arg("help").args(words).output().expect("it runs")
    };
    let all = String::from_utf8(help(&[]).stdout).expect("text");
    for part in ["preflight", "operations", "two-daemons-with-one-key"] {
        assert!(all.contains(part), "{part} in {all}");
    }
    let verb = String::from_utf8(help(&["guard", "repair"]).stdout).expect("text");
    assert!(verb.contains("Usage: federation guard repair"), "{verb}");
    assert_eq!(help(&["nonsense"]).status.code(), Some(2));
}
