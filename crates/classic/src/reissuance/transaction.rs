//! Signs and completes the node's raw transactions, byte for byte as the Python program does.

use elements::{
    Script, Transaction,
    encode::{deserialize, serialize_hex},
    script::Builder,
};
use federation_chain::legacy_sighash;
use federation_multisig::MultisigScript;
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::{Message, SECP256K1, ecdsa::Signature};

use super::ReissueError;

/// The longest transaction accepted, in hex digits: it has one input and two outputs.
const MAX_HEX: usize = 4000;

pub(super) fn parse(hex: &str) -> Result<Transaction, ReissueError> {
    let failed = |error: &dyn core::fmt::Display| ReissueError::Transaction(error.to_string());
    if hex.len() > MAX_HEX {
        return Err(failed(&"it is too long"));
    }
    let bytes = Vec::from_hex(hex).map_err(|error| failed(&error))?;
    let transaction: Transaction = deserialize(&bytes).map_err(|error| failed(&error))?;
    if transaction.input.len() == 1 {
        Ok(transaction)
    } else {
        Err(failed(&"it does not have exactly one input"))
    }
}

/// Returns the digest to sign.
pub(super) fn digest(transaction: &Transaction, script: &MultisigScript) -> [u8; 32] {
    legacy_sighash(transaction, 0, &redeem(script))
}

fn redeem(script: &MultisigScript) -> Script {
    Script::from(script.as_bytes().to_vec())
}

/// Returns a signature as pushed in a scriptSig, prefixed with its length, in hex.
pub(super) fn push(signature: &Signature) -> String {
    let mut der = signature.serialize_der().to_vec();
    der.push(1);
    let mut bytes = vec![u8::try_from(der.len()).unwrap_or(u8::MAX)];
    bytes.append(&mut der);
    bytes.to_lower_hex_string()
}

/// Completes a transaction with the valid signatures, in the order of their keys.
pub(super) fn complete<'s>(
    number: usize,
    mut transaction: Transaction,
    script: &MultisigScript,
    signatures: impl Iterator<Item = &'s str>,
) -> Result<String, ReissueError> {
    let digest = Message::from_digest(digest(&transaction, script));
    let need = usize::from(script.threshold().to_u8());
    let mut by_key = std::collections::BTreeMap::new();
    for text in signatures.take(64) {
        let Some((bytes, signature)) = read(text) else {
            continue;
        };
        let index = script
            .keys()
            .iter()
            .position(|key| SECP256K1.verify_ecdsa(&digest, &signature, key).is_ok());
        if let Some(index) = index {
            by_key.entry(index).or_insert(bytes);
        }
    }
    if by_key.len() < need {
        return Err(ReissueError::TooFew {
            index: number,
            have: by_key.len(),
            need,
        });
    }
    let mut script_sig = Builder::new().push_int(0).into_script().into_bytes();
    for bytes in by_key.into_values().take(need) {
        script_sig.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
        script_sig.extend(bytes);
    }
    // OP_PUSHDATA1, even if a shorter push would do.
    let length = u8::try_from(script.as_bytes().len()).unwrap_or(u8::MAX);
    script_sig.extend([0x4c, length]);
    script_sig.extend_from_slice(script.as_bytes());
    transaction.input[0].script_sig = Script::from(script_sig);
    Ok(serialize_hex(&transaction))
}

/// Parses a pushed signature; returns it with low S, and its bytes with SIGHASH_ALL.
fn read(text: &str) -> Option<(Vec<u8>, Signature)> {
    if text.len() > 2 * 75 {
        return None;
    }
    let pushed = Vec::from_hex(text).ok()?;
    let (length, bytes) = pushed.split_first()?;
    if usize::from(*length) != bytes.len() {
        return None;
    }
    let mut signature = Signature::from_der(bytes.strip_suffix(&[1])?).ok()?;
    signature.normalize_s();
    let mut low = signature.serialize_der().to_vec();
    low.push(1);
    Some((low, signature))
}
