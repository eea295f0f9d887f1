//! Helpers that the tests share.

use federation_genesis::{Genesis, NodeKind, Settings};

/// 2 of 3: the public keys of the secrets 2, 3 and -1.
pub(crate) const SCRIPT: &str = "522102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee52102f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9210379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179853ae";

pub(crate) fn vectors(name: &str) -> serde_json::Value {
    let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the vectors");
    serde_json::from_str(&text).expect("json")
}

pub(crate) fn settings(node: NodeKind, text: &str) -> Settings {
    Settings::parse(node, text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub(crate) fn genesis(node: NodeKind, text: &str) -> Genesis {
    Genesis::compute(&settings(node, text), None).expect("a genesis")
}

/// The chain `homechain` with the script above as both scripts, and these further lines.
pub(crate) fn home(more: &str) -> String {
    format!("chain=homechain\nsignblockscript={SCRIPT}\nfedpegscript={SCRIPT}\n{more}")
}
