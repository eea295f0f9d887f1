//! Comparing what a running node reports about its chain with its settings.

use bytes::Bytes;
use federation_chain::{Block, BlockHash, Dialect, Params, Proof};
use serde_json::Value;

use crate::{Genesis, NodeKind, Settings};

/// What a node reports. Nodes differ in what they report; what is missing is not compared.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct NodeReport<'a> {
    /// The hash of its genesis block.
    pub genesis: BlockHash,
    /// The result of `getblockchaininfo`.
    pub blockchain: &'a Value,
    /// The result of `getsidechaininfo`; null if the node has no such call.
    pub sidechain: &'a Value,
    /// Block 1, if there is one and the node has it.
    pub first_block: Option<&'a Bytes>,
}

/// One field that was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldCheck {
    /// The name of the field.
    pub name: &'static str,
    /// The value that follows from the settings.
    pub expected: String,
    /// The value that the node reports.
    pub found: String,
}

impl FieldCheck {
    /// Whether the node reports the expected value.
    #[must_use]
    pub fn is_match(&self) -> bool {
        self.expected == self.found
    }
}

/// Compares everything that a node reports with the settings of a chain.
#[must_use]
pub fn compare(settings: &Settings, genesis: &Genesis, report: &NodeReport<'_>) -> Vec<FieldCheck> {
    let (state, side) = (report.blockchain, report.sidechain);
    let mut list = List(Vec::new());
    list.add("chain", settings.chain(), text(&state["chain"]));
    list.add(
        "genesis hash",
        &genesis.hash().to_string(),
        report.genesis.to_string(),
    );
    let asset = genesis.pegged_asset().to_string();
    list.add_if_reported("pegged asset", &asset, &side["pegged_asset"]);
    for (name, field, setting) in [
        ("fedpegscript", "fedpegscript", "fedpegscript"),
        (
            "parent genesis",
            "parent_blockhash",
            "parentgenesisblockhash",
        ),
        (
            "peg-in depth",
            "pegin_confirmation_depth",
            "peginconfirmationdepth",
        ),
        ("enforced PAK", "enforce_pak", "enforce_pak"),
    ] {
        list.add_if_reported(name, &expected(settings, setting), &side[field]);
    }
    for (name, field, setting) in [
        ("epoch length", "epoch_length", "dynamic_epoch_length"),
        ("valid epochs", "total_valid_epochs", "total_valid_epochs"),
        (
            "limit on signatures",
            "max_block_witness",
            "con_max_block_sig_size",
        ),
    ] {
        // Ocean has none of these.
        if settings.node() == NodeKind::Elements {
            list.add_if_reported(name, &expected(settings, setting), &state[field]);
        }
    }
    if settings.node() == NodeKind::Elements {
        let root = |params: &Params| params.calculate_root().to_string();
        let expected = genesis
            .block_1_params()
            .map_or_else(|| NONE.to_owned(), root);
        if let Some(found) = first_root(report) {
            list.add("root of block 1's parameters", &expected, found);
        }
    }
    list.0
}

const NONE: &str = "none";

struct List(Vec<FieldCheck>);

impl List {
    fn add(&mut self, name: &'static str, expected: &str, found: String) {
        self.0.push(FieldCheck {
            name,
            expected: expected.to_owned(),
            found,
        });
    }

    fn add_if_reported(&mut self, name: &'static str, expected: &str, found: &Value) {
        if !found.is_null() {
            self.add(name, expected, text(found));
        }
    }
}

/// The root of the parameters that block 1 has or will have; none if it is unknown.
fn first_root(report: &NodeReport<'_>) -> Option<String> {
    let state = report.blockchain;
    if state["blocks"] == 0 {
        return Some(match &state["current_params_root"] {
            Value::Null => NONE.to_owned(),
            root => text(root),
        });
    }
    Some(
        match Block::decode(Dialect::Dynafed, report.first_block?.clone()) {
            Ok(block) => match &block.header().fields().proof {
                Proof::Dynafed { current, .. } => current.calculate_root().to_string(),
                _ => NONE.to_owned(),
            },
            Err(error) => format!("block 1 cannot be decoded: {error}"),
        },
    )
}

/// The value of a setting, as the node shows it.
fn expected(settings: &Settings, name: &str) -> String {
    let value = settings
        .iter()
        .find(|setting| setting.name == name)
        .map(|setting| setting.values.join(" "))
        .unwrap_or_default();
    match (name, value.as_str()) {
        ("enforce_pak", "1") => "true".to_owned(),
        ("enforce_pak", _) => "false".to_owned(),
        _ => value,
    }
}

/// The value as text, strings without quotes.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mismatches(
        change: impl FnOnce(&mut Value, &mut Value),
    ) -> Vec<(&'static str, String, String)> {
        let settings = Settings::new(NodeKind::Elements, "fedchain").expect("a chain");
        let genesis = Genesis::compute(&settings, None).expect("a genesis");
        let root = genesis.block_1_params().expect("dynafed").calculate_root();
        let mut state = json!({
            "chain": "fedchain", "blocks": 0, "epoch_length": 10, "total_valid_epochs": 2,
            "max_block_witness": 74, "current_params_root": root.to_string(),
        });
        let mut side = json!({
            "fedpegscript": "51", "pegged_asset": genesis.pegged_asset().to_string(),
            "parent_blockhash": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            "enforce_pak": false, "pegin_confirmation_depth": 8,
        });
        change(&mut state, &mut side);
        let report = NodeReport {
            genesis: genesis.hash(),
            blockchain: &state,
            sidechain: &side,
            first_block: None,
        };
        let checks = compare(&settings, &genesis, &report).into_iter();
        checks
            .filter(|check| !check.is_match())
            .map(|check| (check.name, check.expected, check.found))
            .collect()
    }

    #[test]
    fn a_node_on_the_chain_matches_and_each_difference_is_named() {
        assert_eq!(mismatches(|_, _| {}), []);
        assert_eq!(
            mismatches(|state, _| state["max_block_witness"] = json!(400)),
            [("limit on signatures", "74".to_owned(), "400".to_owned())]
        );
        assert_eq!(
            mismatches(|_, side| side["enforce_pak"] = json!(true)),
            [("enforced PAK", "false".to_owned(), "true".to_owned())]
        );
        assert_eq!(
            mismatches(|state, _| state["chain"] = json!("x"))[0].0,
            "chain"
        );
        let without = mismatches(|state, _| state["current_params_root"] = Value::Null);
        assert_eq!(without[0].0, "root of block 1's parameters");
        assert_eq!(without[0].2, "none");
    }

    #[test]
    fn what_a_node_does_not_report_is_not_compared() {
        assert_eq!(mismatches(|_, side| *side = Value::Null), []);
        // It has blocks, but block 1 was not given.
        assert_eq!(mismatches(|state, _| state["blocks"] = json!(7)), []);
    }
}
