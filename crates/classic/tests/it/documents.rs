//! What reissuances call at the node is what `docs/operations.md` says that it must allow.

use std::{collections::BTreeSet, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("there")
}

#[test]
fn the_documents_row_has_what_reissuances_call_at_the_node() {
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
    // Every second piece stands between the marks.
    let listed: BTreeSet<&str> = methods.split('`').skip(1).step_by(2).collect();
    assert_eq!(listed, called);
}
