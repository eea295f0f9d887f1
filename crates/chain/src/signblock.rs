//! The forms in which a node's `signblock` returns signatures: a scriptSig on Ocean, a list of keys
//! and signatures on Elements.

use secp256k1::ecdsa::Signature;

use crate::{Dialect, rules::SIGHASH_ALL};

/// Bytes that are not in the form of a node's signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFormError {
    /// Something else than minimal pushes.
    #[error("the scriptSig is not made of minimal pushes only: see byte {0}")]
    Push(usize),
    /// The first item is not empty.
    #[error("the scriptSig does not begin with an empty item")]
    Dummy,
    /// An item that is not a signature.
    #[error("item {0} is not a DER signature")]
    Der(usize),
    /// A signature without the sighash byte that dynafed requires.
    #[error("the signature does not end with the sighash byte 0x01")]
    Sighash,
}

/// Returns the signatures in a `signblock` scriptSig: `00` and a push for each.
///
/// # Errors
/// If it has any other form.
pub fn signatures_of_script_sig(script_sig: &[u8]) -> Result<Vec<Signature>, SignatureFormError> {
    let items = pushes(script_sig).map_err(SignatureFormError::Push)?;
    let Some((&[], signatures)) = items.split_first() else {
        return Err(SignatureFormError::Dummy);
    };
    signatures
        .iter()
        .enumerate()
        .map(|(index, der)| strict_der(der).ok_or(SignatureFormError::Der(index + 1)))
        .collect()
}

/// Returns the scriptSig of these signatures: `00` and a push of DER for each.
#[must_use]
pub fn script_sig_of_signatures<'a>(
    signatures: impl IntoIterator<Item = &'a Signature>,
) -> Vec<u8> {
    let mut script_sig = vec![0];
    for signature in signatures {
        let der = signature.serialize_der();
        // DER has at most 72 bytes: its length is also the push opcode.
        script_sig.push(u8::try_from(der.len()).unwrap_or(u8::MAX));
        script_sig.extend_from_slice(&der);
    }
    script_sig
}

/// Returns the signature in a `sig` of Elements' `signblock`: DER, followed by the sighash byte
/// `01` with dynafed.
///
/// # Errors
/// If it has any other form.
pub fn signature_of_signblock(
    dialect: Dialect,
    sig: &[u8],
) -> Result<Signature, SignatureFormError> {
    let der = match (dialect, sig) {
        (Dialect::Ocean | Dialect::Elements, der) => der,
        (Dialect::Dynafed, [der @ .., SIGHASH_ALL]) => der,
        (Dialect::Dynafed, _) => return Err(SignatureFormError::Sighash),
    };
    strict_der(der).ok_or(SignatureFormError::Der(0))
}

/// Returns the `sig` that Elements' `signblock` returns for a signature, and that a signblock
/// witness holds.
#[must_use]
pub fn signblock_of_signature(dialect: Dialect, signature: &Signature) -> Vec<u8> {
    let mut sig = signature.serialize_der().to_vec();
    if dialect == Dialect::Dynafed {
        sig.push(SIGHASH_ALL);
    }
    sig
}

/// Parses a signature in the one form that `STRICTENC` allows. The curve library's parser is more
/// lenient (numbers above the group's order), but does not write such signatures back.
pub(crate) fn strict_der(der: &[u8]) -> Option<Signature> {
    let signature = Signature::from_der(der).ok()?;
    (*signature.serialize_der() == *der).then_some(signature)
}

/// Returns the items that a script of direct pushes leaves on the stack, or the index of the first
/// byte that is not one. Signatures have at most 73 bytes, so longer pushes are not expected here.
pub(crate) fn pushes(script: &[u8]) -> Result<Vec<&[u8]>, usize> {
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(&opcode) = script.get(at) {
        let length = usize::from(opcode);
        let item = (length <= 75)
            .then(|| script.get(at + 1..at + 1 + length))
            .flatten()
            .ok_or(at)?;
        // The numbers 1 to 16 and -1 have shorter opcodes of their own.
        if matches!(item, [1..=16 | 0x81]) {
            return Err(at);
        }
        items.push(item);
        at += 1 + length;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signature() -> impl Strategy<Value = Signature> {
        any::<[u8; 64]>().prop_filter_map("above the group's order", |bytes| {
            Signature::from_compact(&bytes).ok()
        })
    }

    proptest! {
        #[test]
        fn signatures_in_a_script_sig_round_trip(
            signatures in prop::collection::vec(signature(), 0..20),
        ) {
            let script_sig = script_sig_of_signatures(&signatures);
            prop_assert_eq!(signatures_of_script_sig(&script_sig), Ok(signatures));
        }

        #[test]
        fn a_signblock_signature_round_trips_in_its_dialect_only(signature in signature()) {
            for dialect in Dialect::ALL {
                let sig = signblock_of_signature(dialect, &signature);
                prop_assert_eq!(signature_of_signblock(dialect, &sig), Ok(signature));
                let other = match dialect {
                    Dialect::Dynafed => Dialect::Elements,
                    Dialect::Ocean | Dialect::Elements => Dialect::Dynafed,
                };
                prop_assert!(signature_of_signblock(other, &sig).is_err());
            }
        }

        #[test]
        fn garbage_is_an_error_or_round_trips(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(signatures) = signatures_of_script_sig(&bytes) {
                prop_assert_eq!(script_sig_of_signatures(&signatures), bytes);
            }
        }
    }

    #[test]
    fn longer_pushes_than_needed_are_refused() {
        assert_eq!(pushes(&[0, 2, 7, 7]), Ok(vec![&[][..], &[7, 7]]));
        assert_eq!(pushes(&[0, 1, 7]), Err(1), "7 has an opcode");
        assert_eq!(pushes(&[0x4c, 1, 99]), Err(0), "OP_PUSHDATA1");
        assert_eq!(pushes(&[0, 2, 7]), Err(1), "cut off");
        assert_eq!(pushes(&[0x61]), Err(0), "OP_NOP");
    }
}
