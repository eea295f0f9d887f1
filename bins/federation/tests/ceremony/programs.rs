//! The two programs, and what they answer.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use serde_json::Value;

/// The program of this package.
pub(crate) fn federation() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_federation"))
}

/// The other program, beside this one. A test is given the programs of its own package alone, so it
/// is built here, which takes no time where that was done before.
pub(crate) fn multisig() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = federation().parent().expect("a folder");
        let mut build = Command::new(env!("CARGO"));
        build
            .args([
                "build",
                "--quiet",
                "--package",
                "federation-multisig-cli",
                "--target-dir",
            ])
            .arg(folder.parent().expect("the target folder"))
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let built = build.output().expect("cargo runs");
        assert!(built.status.success(), "{built:?}");
        folder.join("multisig")
    })
}

/// What a program that did well has said.
pub(crate) fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_str(&text(output)).expect("json")
}

/// Whether a check of `preflight --json` is red.
pub(crate) fn is_red(output: &Output, name: &str) -> bool {
    let answer: Value = serde_json::from_slice(&output.stdout).expect("json");
    let checks = answer["checks"].as_array().expect("a list");
    checks
        .iter()
        .any(|check| check["name"] == name && check["light"] == "red")
}
