//! Blocks, headers and amounts as the node's RPC returns them in JSON.

use elements::AssetId;
use federation_chain::{Block, Dialect, Header, Proof};
use hex_conservative::DisplayHex;
use serde_json::{Map, Value, json, value::RawValue};

use crate::ledger::Ledger;

/// Satoshi as a decimal number with eight digits.
pub(crate) fn amount(satoshi: u64) -> Value {
    let text = format!("{}.{:08}", satoshi / 100_000_000, satoshi % 100_000_000);
    // A decimal number is valid JSON; it is kept as it is when the value is printed.
    RawValue::from_string(text.clone())
        .and_then(serde_json::to_value)
        .unwrap_or(Value::String(text))
}

/// Writes a hash as RPC displays it: reversed.
pub(crate) fn reversed(bytes: &[u8; 32]) -> String {
    let mut reversed = *bytes;
    reversed.reverse();
    reversed.to_lower_hex_string()
}

pub(crate) fn asset(id: &AssetId) -> String {
    id.to_string()
}

/// Returns the verbose result of `getblockheader`.
pub(crate) fn header(ledger: &Ledger, height: usize, block: &Block) -> Value {
    let fields = block.header().fields();
    let tip = ledger.height().to_u32() as usize;
    let is_in_chain = ledger.find(&block.block_hash()).is_some();
    let confirmations = if is_in_chain {
        json!(tip - height + 1)
    } else {
        json!(-1)
    };
    let mut view = Map::new();
    let mut put = |name: &str, value: Value| view.insert(name.to_owned(), value);
    put("hash", json!(block.block_hash().to_string()));
    put("confirmations", confirmations);
    put("height", json!(height));
    put("version", json!(fields.version));
    put("versionHex", json!(format!("{:08x}", fields.version)));
    put("merkleroot", json!(reversed(&fields.merkle_root)));
    put("time", json!(fields.time));
    put("mediantime", json!(ledger.median_time(height)));
    match &fields.proof {
        Proof::Ocean {
            contract,
            attestation,
            mapping,
            challenge,
            ..
        } => {
            put("nonce", json!(1));
            put("bits", json!(challenge_text(challenge)));
            put("difficulty", json!(1));
            put("chainwork", json!(format!("{:064x}", height + 1)));
            put("contracthash", json!(reversed(contract)));
            put("attestationhash", json!(reversed(attestation)));
            put("mappinghash", json!(reversed(mapping)));
        }
        Proof::Signed {
            challenge,
            solution,
        } => {
            put("signblock_witness_asm", json!(pushes_text(solution)));
            put(
                "signblock_witness_hex",
                json!(solution.to_lower_hex_string()),
            );
            put(
                "signblock_challenge",
                json!(challenge.to_lower_hex_string()),
            );
            put(
                "nTx",
                json!(block.transaction_ids().map_or(0, |ids| ids.len())),
            );
        }
        Proof::Dynafed { witness, .. } => {
            let items: Vec<String> = witness.iter().map(|i| i.to_lower_hex_string()).collect();
            put("signblock_witness_hex", json!(items));
            put(
                "nTx",
                json!(block.transaction_ids().map_or(0, |ids| ids.len())),
            );
        }
    }
    if height > 0 {
        put("previousblockhash", json!(fields.previous.to_string()));
    }
    if let Some(next) = ledger.at(height + 1).filter(|_| is_in_chain) {
        put("nextblockhash", json!(next.block_hash().to_string()));
    }
    Value::Object(view)
}

/// Returns the verbose result of `getblock`: the header's view, sizes and transaction ids.
pub(crate) fn block(ledger: &Ledger, height: usize, block: &Block) -> Value {
    let mut view = header(ledger, height, block);
    let ids = block.transaction_ids().unwrap_or_default();
    if let Value::Object(view) = &mut view {
        view.insert("size".to_owned(), json!(block.as_bytes().len()));
        let ids: Vec<String> = ids.iter().map(reversed).collect();
        view.insert("tx".to_owned(), json!(ids));
    }
    view
}

/// Writes a script of pushes and CHECKMULTISIG as assembly, as Ocean displays a challenge.
fn challenge_text(challenge: &[u8]) -> String {
    elements_asm(challenge)
}

fn pushes_text(solution: &[u8]) -> String {
    elements_asm(solution)
}

/// Writes a script as the nodes' assembly: data in hex, small numbers as numbers.
pub(crate) fn elements_asm(script: &[u8]) -> String {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&opcode) = script.get(at) {
        at += 1;
        match opcode {
            0 => words.push("0".to_owned()),
            1..=75 => {
                let end = (at + usize::from(opcode)).min(script.len());
                let data = &script[at..end];
                at = end;
                words.push(match data {
                    [number @ 17..=127] => number.to_string(),
                    data => data.to_lower_hex_string(),
                });
            }
            0x51..=0x60 => words.push((opcode - 0x50).to_string()),
            0xae => words.push("OP_CHECKMULTISIG".to_owned()),
            other => words.push(format!("OP_{other:#04x}")),
        }
    }
    words.join(" ")
}

/// Returns the challenge or program of the next block, as assembly and in hex.
pub(crate) fn signing_script(header: &Header, dialect: Dialect, script: &[u8]) -> (String, String) {
    debug_assert!(dialect != Dialect::Ocean || !header.signing_script().is_empty());
    (elements_asm(script), script.to_lower_hex_string())
}
