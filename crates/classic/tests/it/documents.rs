//! The node methods called for reissuances are those listed in `docs/operations.md`.

use std::{collections::BTreeSet, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("it exists")
}

#[test]
fn the_documented_methods_are_those_called_for_reissuances() {
    let source = read("src/reissuance/node.rs");
    let called: BTreeSet<&str> = source
        .split(".call(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(called.contains("createrawreissuance"), "{called:?}");
    let text = read("docs/operations.md");
    let row = text
        .lines()
        .find(|line| line.starts_with("| reissuances by the flags of the Python program"))
        .expect("the row");
    let methods = row.split('|').nth(2).expect("a column");
    // Every second part is between backticks.
    let listed: BTreeSet<&str> = methods.split('`').skip(1).step_by(2).collect();
    assert_eq!(listed, called);
}
