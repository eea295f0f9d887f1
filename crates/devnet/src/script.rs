//! The kinds of output that can be spent on the devnet: anyone-can-spend, pay-to-public-key-hash,
//! and M-of-N by script hash, with and without witness.

use bitcoin::hashes::{Hash, hash160};
use elements::{
    EcdsaSighashType, Script, Transaction, TxOut, script::Instruction, sighash::SighashCache,
};
use federation_chain::legacy_sighash;
use federation_multisig::{MultisigScript, PublicKey};
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa::Signature};

use crate::{error::Invalid, genesis::OP_TRUE};

/// `OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG`.
pub(crate) fn p2pkh(hash: &[u8; 20]) -> Script {
    let mut script = vec![0x76, 0xa9, 20];
    script.extend_from_slice(hash);
    script.extend_from_slice(&[0x88, 0xac]);
    Script::from(script)
}

/// Returns the hash of a key, as in pay-to-public-key-hash.
pub(crate) fn key_hash(key: &PublicKey) -> [u8; 20] {
    hash160::Hash::hash(&key.serialize()).to_byte_array()
}

/// Returns whether anyone can spend it.
pub(crate) fn is_anyone_can_spend(script: &Script) -> bool {
    script.as_bytes() == [OP_TRUE]
}

/// Returns the hash in a pay-to-public-key-hash script.
fn p2pkh_hash(script: &Script) -> Option<[u8; 20]> {
    match script.as_bytes() {
        [0x76, 0xa9, 20, hash @ .., 0x88, 0xac] => hash.try_into().ok(),
        _ => None,
    }
}

fn sighash(transaction: &Transaction, index: usize, script: &Script) -> Message {
    Message::from_digest(legacy_sighash(transaction, index, script))
}

/// Signs an input that spends a pay-to-public-key-hash output of this key.
pub(crate) fn sign(
    transaction: &Transaction,
    index: usize,
    script: &Script,
    secret: &SecretKey,
) -> Script {
    let mut signature = SECP256K1
        .sign_ecdsa(&sighash(transaction, index, script), secret)
        .serialize_der()
        .to_vec();
    signature.push(1);
    let mut script_sig = Vec::new();
    for item in [&signature[..], &secret.public_key(SECP256K1).serialize()] {
        // A signature has at most 73 bytes, a key 33.
        script_sig.push(u8::try_from(item.len()).unwrap_or(u8::MAX));
        script_sig.extend_from_slice(item);
    }
    Script::from(script_sig)
}

/// Checks that an input may spend an output.
pub(crate) fn verify(
    transaction: &Transaction,
    index: usize,
    output: &TxOut,
) -> Result<(), Invalid> {
    let input = &transaction.input[index];
    let script = &output.script_pubkey;
    if script.is_v0_p2wsh() {
        return verify_p2wsh(transaction, index, output);
    }
    if !input.witness.script_witness.is_empty() {
        return Err(Invalid::Script);
    }
    if is_anyone_can_spend(script) {
        return if input.script_sig.is_empty() {
            Ok(())
        } else {
            Err(Invalid::Script)
        };
    }
    if script.is_p2sh() {
        return verify_p2sh(transaction, index, script);
    }
    let hash = p2pkh_hash(script).ok_or(Invalid::UnknownScript)?;
    let (signature, key) = split(input.script_sig.as_bytes()).ok_or(Invalid::Script)?;
    if key_hash(&key) != hash {
        return Err(Invalid::Script);
    }
    SECP256K1
        .verify_ecdsa(&sighash(transaction, index, script), &signature, &key)
        .map_err(|_| Invalid::Script)
}

/// Checks an M-of-N script against its hash in the output, and the M signatures before it.
fn verify_p2sh(transaction: &Transaction, index: usize, script: &Script) -> Result<(), Invalid> {
    let items = pushes(&transaction.input[index].script_sig).ok_or(Invalid::Script)?;
    let (redeem, signatures) = items.split_last().ok_or(Invalid::Script)?;
    let redeem = Script::from(redeem.clone());
    if redeem.to_p2sh() != *script {
        return Err(Invalid::Script);
    }
    let digest = sighash(transaction, index, &redeem);
    verify_multisig(&redeem, signatures, &digest)
}

fn verify_p2wsh(transaction: &Transaction, index: usize, output: &TxOut) -> Result<(), Invalid> {
    let input = &transaction.input[index];
    if !input.script_sig.is_empty() {
        return Err(Invalid::Script);
    }
    let items: Vec<Vec<u8>> = input
        .witness
        .script_witness
        .iter()
        .map(<[u8]>::to_vec)
        .collect();
    let (script, signatures) = items.split_last().ok_or(Invalid::Script)?;
    let script = Script::from(script.clone());
    if script.to_v0_p2wsh() != output.script_pubkey {
        return Err(Invalid::Script);
    }
    let mut cache = SighashCache::new(transaction);
    let hash = cache.segwitv0_sighash(index, &script, output.value, EcdsaSighashType::All);
    let digest = Message::from_digest(hash.to_byte_array());
    verify_multisig(&script, signatures, &digest)
}

/// `OP_CHECKMULTISIG`: an empty item, then M signatures in the order of their keys.
fn verify_multisig(script: &Script, items: &[Vec<u8>], digest: &Message) -> Result<(), Invalid> {
    let script =
        MultisigScript::from_bytes(script.as_bytes()).map_err(|_| Invalid::UnknownScript)?;
    let (dummy, signatures) = items.split_first().ok_or(Invalid::Script)?;
    if !dummy.is_empty() || signatures.len() != usize::from(script.threshold().to_u8()) {
        return Err(Invalid::Script);
    }
    let mut keys = script.keys().iter();
    for signature in signatures {
        let der = signature.strip_suffix(&[1]).ok_or(Invalid::Script)?;
        let signature = Signature::from_der(der).map_err(|_| Invalid::Script)?;
        let signed_by = |key: &PublicKey| SECP256K1.verify_ecdsa(digest, &signature, key).is_ok();
        if !keys.any(signed_by) {
            return Err(Invalid::Script);
        }
    }
    Ok(())
}

/// Returns the items that a script pushes, if it does nothing else.
fn pushes(script: &Script) -> Option<Vec<Vec<u8>>> {
    script
        .instructions()
        .map(|instruction| match instruction {
            Ok(Instruction::PushBytes(bytes)) => Some(bytes.to_vec()),
            _ => None,
        })
        .collect()
}

/// Signature (with SIGHASH_ALL) and key from a scriptSig of two pushes.
fn split(script_sig: &[u8]) -> Option<(Signature, PublicKey)> {
    let (length, rest) = script_sig.split_first()?;
    let (item, rest) = rest.split_at_checked(usize::from(*length))?;
    let der = item.strip_suffix(&[1])?;
    let key = rest.strip_prefix(&[33])?;
    Some((
        Signature::from_der(der).ok()?,
        PublicKey::from_slice(key).ok()?,
    ))
}
