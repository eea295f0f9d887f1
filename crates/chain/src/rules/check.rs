//! Checking a complete block's signatures.

use secp256k1::{Message, SECP256K1};

use super::{SIGHASH_ALL, SigningRules, has_low_s};
use crate::{
    CheckError, Header, Proof,
    cursor::push_compact_size,
    signblock::{pushes, strict_der},
};

/// Returns the script indexes of the signers.
pub(super) fn check(rules: &SigningRules, header: &Header) -> Result<Vec<usize>, CheckError> {
    rules.check_challenge(header)?;
    match &header.fields().proof {
        Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } => {
            check_size(solution.len(), rules.max_signature_size())?;
            let items = pushes(solution).map_err(CheckError::Push)?;
            check_items(rules, header, &items, |_, der| Ok(der))
        }
        Proof::Dynafed { witness, .. } => {
            // The nodes apply the header's own limit; the one in the rules comes from our
            // configuration.
            let limit = header.signature_limit().unwrap_or_default();
            check_size(witness_size(witness), limit)?;
            let Some((script, items)) = witness.split_last() else {
                return Err(CheckError::WitnessScript);
            };
            if script != rules.script().as_bytes() {
                return Err(CheckError::WitnessScript);
            }
            let items: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
            check_items(rules, header, &items, without_sighash)
        }
    }
}

pub(super) fn check_size(size: usize, allowed: u32) -> Result<(), CheckError> {
    if u32::try_from(size).is_ok_and(|size| size <= allowed) {
        return Ok(());
    }
    Err(CheckError::TooLarge { size, allowed })
}

/// `CScriptWitness::GetSerializedSize`.
fn witness_size(witness: &[Vec<u8>]) -> usize {
    let mut lengths = Vec::new();
    push_compact_size(&mut lengths, witness.len());
    for item in witness {
        push_compact_size(&mut lengths, item.len());
    }
    lengths.len() + witness.iter().map(Vec::len).sum::<usize>()
}

/// Splits off the sighash byte, which must be `SIGHASH_ALL` (`SimpleSignatureChecker` in
/// `generic.hpp`): it is not hashed, so if other values were accepted, a third party could change
/// the block.
fn without_sighash(index: usize, item: &[u8]) -> Result<&[u8], CheckError> {
    match item.split_last() {
        Some((&SIGHASH_ALL, der)) => Ok(der),
        Some((&byte, _)) => Err(CheckError::Sighash { index, byte }),
        None => Err(CheckError::Der(index)),
    }
}

fn check_items<'a>(
    rules: &SigningRules,
    header: &Header,
    items: &[&'a [u8]],
    der_of: impl Fn(usize, &'a [u8]) -> Result<&'a [u8], CheckError>,
) -> Result<Vec<usize>, CheckError> {
    let expected = rules.script().threshold().to_usize();
    if items.len() != expected + 1 {
        return Err(CheckError::Count {
            expected,
            found: items.len(),
        });
    }
    if !items[0].is_empty() {
        return Err(CheckError::Dummy);
    }
    let message = Message::from_digest(header.block_hash().to_bytes());
    // Keys and signatures both advance only, as in OP_CHECKMULTISIG.
    let mut keys = rules.script().keys().iter().enumerate();
    let mut signers = Vec::with_capacity(expected);
    for (index, item) in items[1..].iter().enumerate() {
        let der = der_of(index, item)?;
        let signature = strict_der(der).ok_or(CheckError::Der(index))?;
        if !has_low_s(&signature) {
            return Err(CheckError::HighS(index));
        }
        let (signer, _) = keys
            .find(|(_, key)| SECP256K1.verify_ecdsa(&message, &signature, key).is_ok())
            .ok_or(CheckError::Signature(index))?;
        signers.push(signer);
    }
    Ok(signers)
}
