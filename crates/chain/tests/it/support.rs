//! Recorded chains, shared by the tests.

use std::collections::BTreeMap;

use bytes::Bytes;
use federation_chain::{
    Block, Dialect, SigningRules, signature_of_signblock, signatures_of_script_sig,
};
use federation_multisig::MultisigScript;
use hex_conservative::FromHex;
use secp256k1::{SecretKey, ecdsa::Signature};
use serde_json::Value;

/// A recorded chain.
pub(crate) struct Vectors {
    pub(crate) dialect: Dialect,
    pub(crate) json: Value,
}

impl Vectors {
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::read(Dialect::Ocean, "ocean"),
            Self::read(Dialect::Elements, "elements-legacy"),
            Self::read(Dialect::Dynafed, "elements-dynafed"),
        ]
    }

    /// The vectors in a file.
    pub(crate) fn read(dialect: Dialect, name: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
        let text = std::fs::read_to_string(format!("{folder}/{name}.json"))
            .expect("the vectors are in the repository");
        Self {
            dialect,
            json: serde_json::from_str(&text).expect("json"),
        }
    }

    pub(crate) fn rules(&self) -> SigningRules {
        let script =
            MultisigScript::from_hex(text(&self.json["signblockscript"])).expect("a script");
        SigningRules::new(self.dialect, script, 412).expect("412 bytes are enough")
    }

    pub(crate) fn blocks(&self) -> &[Value] {
        self.json["blocks"].as_array().expect("blocks")
    }

    pub(crate) fn secret_keys(&self) -> Vec<SecretKey> {
        let keys = self.json["secret_keys_hex"].as_array().expect("keys");
        keys.iter()
            .map(|key| text(key).parse().expect("a key"))
            .collect()
    }

    pub(crate) fn block(&self, hex: &Value) -> Block {
        Block::decode(self.dialect, bytes(hex)).expect("a recorded block decodes")
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

pub(crate) fn bytes(hex: &Value) -> Bytes {
    Vec::<u8>::from_hex(text(hex)).expect("hex").into()
}

/// The node's signatures by the index of their key.
pub(crate) fn recorded_signatures(
    rules: &SigningRules,
    block: &Value,
) -> BTreeMap<usize, Signature> {
    match &block["signatures"] {
        Value::String(script_sig) => {
            let script_sig = Vec::<u8>::from_hex(script_sig).expect("hex");
            let signatures = signatures_of_script_sig(&script_sig).expect("signatures");
            signatures.into_iter().enumerate().collect()
        }
        list => list
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| {
                let key = text(&entry["pubkey"]).parse().expect("a key");
                let sig = bytes(&entry["sig"]);
                (
                    rules.script().position(&key).expect("a key of the script"),
                    signature_of_signblock(rules.dialect(), &sig).expect("a signature"),
                )
            })
            .collect(),
    }
}
