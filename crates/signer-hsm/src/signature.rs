//! Signatures in the forms that modules return, and the keys that made them.

use std::collections::BTreeSet;

use secp256k1::{
    Message, PublicKey, SECP256K1, ecdsa,
    ecdsa::{RecoverableSignature, RecoveryId},
};

use crate::{curve::unsigned, der};

/// The size of each of a signature's two numbers, in bytes.
const NUMBER: usize = 32;

/// Returns the signature in these bytes that is by this key over this digest, with low S. By the
/// standard, R and S have 32 bytes each.
pub(crate) fn verified(
    bytes: &[u8],
    digest: &[u8; 32],
    key: &PublicKey,
) -> Option<ecdsa::Signature> {
    let message = Message::from_digest(*digest);
    let fits =
        |signature: &ecdsa::Signature| SECP256K1.verify_ecdsa(&message, signature, key).is_ok();
    standard(bytes)
        .filter(fits)
        .or_else(|| forms(bytes).into_iter().find(fits))
}

/// Returns the keys that may have made these bytes as a signature of a digest.
pub(crate) fn signers(bytes: &[u8], digest: &[u8; 32]) -> BTreeSet<PublicKey> {
    let message = Message::from_digest(*digest);
    let mut keys = BTreeSet::new();
    for signature in standard(bytes).into_iter().chain(forms(bytes)) {
        for id in 0..4 {
            let recovered = RecoveryId::from_i32(id)
                .and_then(|id| {
                    RecoverableSignature::from_compact(&signature.serialize_compact(), id)
                })
                .and_then(|signature| SECP256K1.recover_ecdsa(&message, &signature));
            keys.extend(recovered);
        }
    }
    keys
}

fn standard(bytes: &[u8]) -> Option<ecdsa::Signature> {
    let mut signature = ecdsa::Signature::from_compact(bytes).ok()?;
    signature.normalize_s();
    Some(signature)
}

/// Returns all other interpretations of the bytes. Only verification can tell which is right.
fn forms(bytes: &[u8]) -> Vec<ecdsa::Signature> {
    let halves = |at: usize| {
        let (r, s) = bytes.split_at_checked(at)?;
        of_numbers(r, s)
    };
    let mut forms = Vec::new();
    // DER, possibly followed by zeros.
    let in_der = || {
        let (numbers, _) = der::content(bytes, der::SEQUENCE)?;
        let (r, rest) = der::content(numbers, der::INTEGER)?;
        let (s, _) = der::content(rest, der::INTEGER)?;
        of_numbers(r, s)
    };
    forms.extend(in_der());
    // Two numbers of equal length, shorter or longer than the standard's.
    if bytes.len().is_multiple_of(2) && bytes.len() != 2 * NUMBER {
        forms.extend(halves(bytes.len() / 2));
    }
    // Leading zeros of one number are omitted.
    if bytes.len() < 2 * NUMBER {
        forms.extend(halves(NUMBER));
        forms.extend(bytes.len().checked_sub(NUMBER).and_then(halves));
    }
    // A fixed-size buffer, filled with zeros.
    if let Some((signature, behind)) = bytes.split_at_checked(2 * NUMBER)
        && !behind.is_empty()
        && behind.iter().all(|byte| *byte == 0)
    {
        forms.extend(standard(signature));
    }
    forms
}

/// Returns the signature of two numbers, regardless of leading zeros.
fn of_numbers(r: &[u8], s: &[u8]) -> Option<ecdsa::Signature> {
    let mut bytes = [0; 2 * NUMBER];
    for (number, half) in [r, s].into_iter().zip(bytes.chunks_exact_mut(NUMBER)) {
        let number = unsigned(number);
        let zeros = NUMBER.checked_sub(number.len())?;
        half[zeros..].copy_from_slice(number);
    }
    standard(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secp256k1::SecretKey;

    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_slice(&[byte; 32]).expect("a key")
    }

    fn signed(digest: &[u8; 32]) -> ecdsa::Signature {
        SECP256K1.sign_ecdsa(&Message::from_digest(*digest), &key(1))
    }

    /// Returns the number without leading zeros.
    fn short(number: &[u8]) -> Vec<u8> {
        unsigned(number).to_vec()
    }

    /// Returns a digest whose signature has a leading zero in R or S.
    fn with_zero(of_s: bool) -> ([u8; 32], ecdsa::Signature) {
        (0_u32..)
            .map(|n| {
                let mut digest = [9; 32];
                digest[..4].copy_from_slice(&n.to_be_bytes());
                (digest, signed(&digest))
            })
            .find(|(_, signature)| {
                signature.serialize_compact()[if of_s { NUMBER } else { 0 }] == 0
            })
            .expect("one in 256")
    }

    proptest! {
        #[test]
        fn every_form_of_a_signature_is_read(digest in prop::array::uniform32(any::<u8>())) {
            let own = key(1).public_key(SECP256K1);
            let signature = signed(&digest);
            let compact = signature.serialize_compact();
            let (r, s) = compact.split_at(NUMBER);
            let der = signature.serialize_der().to_vec();
            let wide = [&[0; 16], r, &[0; 16], s].concat();
            for (name, form) in [
                ("standard", compact.to_vec()),
                ("DER", der.clone()),
                ("DER with zeros behind", [&der[..], &[0; 3]].concat()),
                ("wide halves", wide),
                ("zeros behind", [&compact[..], &[0; 8]].concat()),
            ] {
                prop_assert_eq!(verified(&form, &digest, &own), Some(signature), "{}", name);
                prop_assert!(signers(&form, &digest).contains(&own), "{}", name);
                prop_assert_eq!(verified(&form, &digest, &key(2).public_key(SECP256K1)), None);
                prop_assert_eq!(verified(&form, &[0; 32], &own), None);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            let _ = verified(&bytes, &[1; 32], &key(1).public_key(SECP256K1));
            let _ = signers(&bytes, &[1; 32]);
        }
    }

    #[test]
    fn signatures_without_leading_zeros_are_read() {
        let own = key(1).public_key(SECP256K1);
        for of_s in [false, true] {
            let (digest, signature) = with_zero(of_s);
            let compact = signature.serialize_compact();
            let (r, s) = compact.split_at(NUMBER);
            let one_short = if of_s {
                [r, &short(s)].concat()
            } else {
                [&short(r), s].concat()
            };
            assert!(one_short.len() < 64);
            assert_eq!(verified(&one_short, &digest, &own), Some(signature));
            assert!(signers(&one_short, &digest).contains(&own));
        }
    }

    #[test]
    fn a_high_s_is_normalised() {
        let own = key(1).public_key(SECP256K1);
        let digest = [5; 32];
        let signature = signed(&digest);
        let compact = signature.serialize_compact();
        let high = SecretKey::from_slice(&compact[NUMBER..])
            .expect("below the order")
            .negate();
        let high = [&compact[..NUMBER], &high.secret_bytes()].concat();
        assert_eq!(verified(&high, &digest, &own), Some(signature));
    }

    #[test]
    fn two_signatures_have_one_signer() {
        let own = key(1).public_key(SECP256K1);
        let both: Vec<_> = [[1; 32], [2; 32]]
            .iter()
            .map(|digest| signers(&signed(digest).serialize_compact(), digest))
            .collect();
        let common: Vec<_> = both[0].intersection(&both[1]).collect();
        assert_eq!(common, [&own]);
    }
}
