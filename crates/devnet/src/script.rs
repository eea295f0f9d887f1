//! The two kinds of output that the devnet lets be spent.

use bitcoin::hashes::{Hash, hash160};
use elements::{EcdsaSighashType, Script, Transaction, TxOut, sighash::SighashCache};
use federation_multisig::PublicKey;
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa::Signature};

use crate::{error::Invalid, genesis::OP_TRUE};

/// `OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG`.
pub(crate) fn p2pkh(hash: &[u8; 20]) -> Script {
    let mut script = vec![0x76, 0xa9, 20];
    script.extend_from_slice(hash);
    script.extend_from_slice(&[0x88, 0xac]);
    Script::from(script)
}

/// The hash of a key, as pay-to-public-key-hash has it.
pub(crate) fn key_hash(key: &PublicKey) -> [u8; 20] {
    hash160::Hash::hash(&key.serialize()).to_byte_array()
}

/// Whether anyone can spend it.
pub(crate) fn is_anyones(script: &Script) -> bool {
    script.as_bytes() == [OP_TRUE]
}

/// The hash in a pay-to-public-key-hash script.
fn p2pkh_hash(script: &Script) -> Option<[u8; 20]> {
    match script.as_bytes() {
        [0x76, 0xa9, 20, hash @ .., 0x88, 0xac] => hash.try_into().ok(),
        _ => None,
    }
}

fn sighash(transaction: &Transaction, index: usize, script: &Script) -> Message {
    let cache = SighashCache::new(transaction);
    let hash = cache.legacy_sighash(index, script, EcdsaSighashType::All);
    Message::from_digest(hash.to_byte_array())
}

/// Signs one input that spends a pay-to-public-key-hash output of this key.
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
    if !input.witness.script_witness.is_empty() {
        return Err(Invalid::Script);
    }
    if is_anyones(script) {
        return if input.script_sig.is_empty() {
            Ok(())
        } else {
            Err(Invalid::Script)
        };
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
