//! Blocks that are files or parts of files, read by the code that reads such files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use federation_genesis::{NodeKind, Settings};
use federation_harness::document::{Block, Kind};
use federation_operator::config::{Config, Overrides};
use federation_signer::{Secret, key_file};

use crate::programs::federation;

/// Replacements for what a document leaves out.
const LEFT_OUT: [(&str, &str); 5] = [
    (
        "\"05f24963...\"",
        "\"05f2496305f2496305f2496305f2496305f2496305f2496305f2496305f24963\"",
    ),
    (
        "\"b2e15d0d...\"",
        "\"b2e15d0db2e15d0db2e15d0db2e15d0db2e15d0db2e15d0db2e15d0db2e15d0d\"",
    ),
    (
        "\"ert1q...\"",
        "\"ert1qn9gca6zreywufmhj3w6ly7tv8ywmea0yptvjey5ukpe2cecv04yssgxy3c\"",
    ),
    ("\"5221...53ae\"", SCRIPT),
    ("\"2103...51ae\"", SCRIPT),
];

/// A 1-of-1 script with the generator point as its key.
const SCRIPT: &str =
    "\"51210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179851ae\"";

/// Reads a block that is a file or a part of one.
pub(crate) fn read(block: &Block, folder: &Path) -> Result<(), String> {
    let Kind::File { language, mark } = &block.kind else {
        return Ok(());
    };
    match (language.as_str(), mark.as_str()) {
        ("toml", "operator") => toml(block, folder, "operator-0/operator.toml"),
        ("toml", "federation") => toml(block, folder, "federation.toml"),
        ("conf", "elements") => conf(NodeKind::Elements, &block.text),
        // Some lines of one.
        ("conf", "elements part") => {
            conf(NodeKind::Elements, &format!("chain=part\n{}", block.text))
        }
        ("conf", "ocean") => conf(NodeKind::Ocean, &block.text),
        ("ini", "systemd") => systemd(&block.text),
        ("json", "") => serde_json::from_str::<serde_json::Value>(&block.text)
            .map(drop)
            .map_err(|error| error.to_string()),
        _ => Err(format!(
            "`{language} {mark}`: say whose file it is: toml operator, toml federation, conf elements, conf elements part, conf ocean, ini systemd"
        )),
    }
}

fn conf(kind: NodeKind, text: &str) -> Result<(), String> {
    Settings::parse(kind, text)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Puts the block's settings into files of `federation init`, in place of theirs, and loads them as the
/// operator does.
fn toml(block: &Block, folder: &Path, file: &str) -> Result<(), String> {
    let fed = fresh(folder);
    let made = Command::new(federation())
        .args(["init", "--operators", "3", "--out"])
        .arg(&fed)
        .output()
        .map_err(|error| error.to_string())?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let mut text = block.text.clone();
    for (from, to) in LEFT_OUT {
        text = text.replace(from, to);
    }
    let piece: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
    let path = fed.join(file);
    let whole = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let mut whole: toml::Table = whole.parse().map_err(|error| format!("{error}"))?;
    let is_kafka = piece.contains_key("kafka");
    for (name, value) in piece {
        match (whole.get_mut(&name), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(more)) => known.extend(more),
            (_, value) => {
                // Two ways to configure a key.
                if name == "keys" {
                    for role in ["block", "identity"] {
                        whole.remove(&format!("{role}_key_file"));
                    }
                }
                whole.insert(name, value);
            }
        }
    }
    if is_kafka {
        whole.remove("listen");
    }
    // Add the other key if the part has one of them.
    if let Some(toml::Value::Table(keys)) = whole.get_mut("keys") {
        for role in ["block", "identity"] {
            let file: toml::Table = format!("kind = \"file\"\nfile = \"{role}.key\"\n")
                .parse()
                .map_err(|error| format!("{error}"))?;
            keys.entry(role).or_insert(toml::Value::Table(file));
        }
        // The reader has already created the keys that the files name.
        let named = keys.iter().filter_map(|(_, key)| key.get("file")?.as_str());
        for name in named {
            let key = fed.join("operator-0").join(name);
            if !key.exists() {
                let secret = Secret::generate();
                key_file::create(&key, &secret).map_err(|error| error.to_string())?;
            }
        }
    }
    fs::write(&path, whole.to_string()).map_err(|error| error.to_string())?;
    Config::load(&fed.join("operator-0/operator.toml"), &Overrides::default())
        .map(drop)
        .map_err(|report| report.to_string())
}

/// Returns a name for a new folder.
fn fresh(folder: &Path) -> PathBuf {
    let mut number = 0;
    loop {
        let path = folder.join(format!(".files-{number}"));
        if !path.exists() {
            return path;
        }
        number += 1;
    }
}

/// Checks that a unit has known sections and well-formed lines.
fn systemd(text: &str) -> Result<(), String> {
    let mut section = None;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            if !["Unit", "Service", "Install"].contains(&name) {
                return Err(format!("`{line}` is not a section of a service"));
            }
            section = Some(name);
            continue;
        }
        let known = line.split_once('=').filter(|(name, value)| {
            name.chars().all(|c| c.is_ascii_alphanumeric()) && !value.trim().is_empty()
        });
        if section.is_none() || known.is_none() {
            return Err(format!("`{line}` is not a setting in a section"));
        }
    }
    Ok(())
}
