//! The methods that an operator's user must be allowed to call, as listed in `docs/operations.md`.

use std::collections::BTreeSet;

use federation_ocean_rpc::{Method, Need};

fn documented() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    std::fs::read_to_string(path).expect("the document")
}

fn names(needs: &[Need]) -> BTreeSet<String> {
    Method::needed_for(needs)
        .map(|method| method.to_string())
        .collect()
}

#[test]
fn the_documented_whitelist_has_what_every_daemon_calls() {
    let text = documented();
    let mut lines = text.lines();
    let line = lines
        .find_map(|line| line.strip_prefix("rpcwhitelist=USER:"))
        .expect("the line");
    let listed: BTreeSet<String> = line.split(',').map(str::to_owned).collect();
    assert_eq!(listed, names(&[Need::Run]));
}

#[test]
fn the_documented_table_has_the_other_methods() {
    let text = documented();
    let (_, table) = text.split_once("| also needed for |").expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    // Every second part is between backticks.
    let of_row = |about: &str| -> BTreeSet<String> {
        let mut rows = table.lines();
        let row = rows
            .find(|row| row.starts_with(&format!("| {about} |")))
            .unwrap_or_else(|| panic!("a row for {about}"));
        let methods = row.split('|').nth(2).expect("a column");
        methods
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    for (about, need) in [
        ("a sweep, or reissued assets", Need::Transactions),
        ("a block key in the node's wallet", Need::Wallet),
        ("`preflight` of such a key", Need::WalletCheck),
        ("`preflight` and `guard repair`", Need::Check),
    ] {
        assert_eq!(of_row(about), names(&[need]), "{about}");
    }
}

#[test]
fn every_method_is_listed_once() {
    let names: BTreeSet<_> = Method::ALL.iter().map(|method| method.as_str()).collect();
    assert_eq!(names.len(), Method::ALL.len());
}
