//! secp256k1 in PKCS#11's terms: curve parameters, points, signatures.

use hex_conservative::DisplayHex;
use secp256k1::{PublicKey, ecdsa};

/// `CKA_EC_PARAMS` of secp256k1: the object identifier 1.3.132.0.10 in DER.
pub(crate) const SECP256K1: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

/// Names of other curves that tokens commonly hold.
const OTHERS: [(&[u8], &str); 4] = [
    (
        &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        "P-256",
    ),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], "P-384"),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x70], "Ed25519"),
];

const OCTET_STRING: u8 = 0x04;

/// What curve these parameters are of, for a person.
pub(crate) fn name(params: &[u8]) -> String {
    OTHERS
        .iter()
        .find(|(other, _)| *other == params)
        .map_or_else(
            || {
                let shown = &params[..params.len().min(32)];
                format!("on a curve with the parameters {:x}", shown.as_hex())
            },
            |(_, name)| format!("on the curve {name}"),
        )
}

/// The point of `CKA_EC_POINT`: a DER octet string by the standard, bare in some modules;
/// uncompressed in most.
pub(crate) fn point(attribute: &[u8]) -> Option<PublicKey> {
    let wrapped = match attribute {
        [OCTET_STRING, len, point @ ..] if usize::from(*len) == point.len() => Some(point),
        _ => None,
    };
    wrapped
        .and_then(|point| PublicKey::from_slice(point).ok())
        .or_else(|| PublicKey::from_slice(attribute).ok())
}

/// The `CKA_EC_POINT` of a public key.
pub(crate) fn point_attribute(key: &PublicKey) -> Vec<u8> {
    let point = key.serialize_uncompressed();
    let mut attribute = vec![OCTET_STRING, 65];
    attribute.extend_from_slice(&point);
    attribute
}

/// A signature of `CKM_ECDSA`, R and S, with its S made low.
pub(crate) fn signature(bytes: &[u8]) -> Option<ecdsa::Signature> {
    let mut signature = ecdsa::Signature::from_compact(bytes).ok()?;
    signature.normalize_s();
    Some(signature)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secp256k1::SecretKey;

    use super::*;

    proptest! {
        #[test]
        fn every_form_of_a_point_is_read(bytes in prop::array::uniform32(1_u8..)) {
            prop_assume!(SecretKey::from_slice(&bytes).is_ok());
            let key = SecretKey::from_slice(&bytes).expect("assumed").public_key(secp256k1::SECP256K1);
            prop_assert_eq!(point(&point_attribute(&key)), Some(key));
            prop_assert_eq!(point(&key.serialize_uncompressed()), Some(key));
            prop_assert_eq!(point(&key.serialize()), Some(key));
            let mut wrapped = vec![4, 33];
            wrapped.extend_from_slice(&key.serialize());
            prop_assert_eq!(point(&wrapped), Some(key));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = point(&bytes);
            let _ = signature(&bytes);
            let _ = name(&bytes);
        }
    }

    #[test]
    fn other_curves_are_named() {
        assert_eq!(name(OTHERS[0].0), "on the curve P-256");
        assert_eq!(name(&[1, 2]), "on a curve with the parameters 0102");
    }
}
