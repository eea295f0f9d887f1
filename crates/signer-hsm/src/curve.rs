//! secp256k1 in PKCS#11: curve parameters and points, in the forms that modules return.

use hex_conservative::DisplayHex;
use secp256k1::PublicKey;

use crate::der::{
    self, BIT_STRING, IA5_STRING, INTEGER, OBJECT_ID, OCTET_STRING, PRINTABLE_STRING, SEQUENCE,
    UTF8_STRING,
};

/// `CKA_EC_PARAMS` of secp256k1: the object identifier 1.3.132.0.10 in DER.
pub(crate) const SECP256K1: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

/// The order of the field of secp256k1.
const FIELD: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfc, 0x2f,
];

/// The maximum size of a point with all wrapping, in bytes.
const MAX_POINT: usize = 256;

/// The object identifiers and names of other common curves.
const OTHERS: [(&[u8], &[&str]); 5] = [
    (
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        &["P-256", "secp256r1", "prime256v1"],
    ),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], &["P-384", "secp384r1"]),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], &["P-521", "secp521r1"]),
    (&[0x2b, 0x65, 0x70], &["Ed25519", "edwards25519"]),
    (
        &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07],
        &["brainpoolP256r1"],
    ),
];

/// A key's curve, as reported by a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Curve {
    /// secp256k1.
    Secp256k1,
    /// Another curve, as text: `on the curve ..`.
    Other(String),
    /// Nothing intelligible: a signature must decide.
    Unknown,
}

/// Returns the curve in `CKA_EC_PARAMS`: an object identifier, with or without its header, a name,
/// or explicit parameters.
pub(crate) fn of_params(params: &[u8]) -> Curve {
    match der::element(params) {
        Some((OBJECT_ID, id, _)) => of_id(id).unwrap_or_else(|| other(params)),
        Some((PRINTABLE_STRING | UTF8_STRING | IA5_STRING, name, _)) => of_name(name),
        Some((SEQUENCE, explicit, _)) => of_field(explicit),
        _ => of_id(params).unwrap_or_else(|| of_name(params)),
    }
}

fn of_id(id: &[u8]) -> Option<Curve> {
    if id == &SECP256K1[2..] {
        return Some(Curve::Secp256k1);
    }
    OTHERS
        .iter()
        .find(|(other, _)| *other == id)
        .map(|(_, names)| Curve::Other(format!("on the curve {}", names[0])))
}

fn of_name(name: &[u8]) -> Curve {
    let name = String::from_utf8_lossy(name);
    let name = name.trim_matches(['\0', ' ']);
    if name.eq_ignore_ascii_case("secp256k1") {
        return Curve::Secp256k1;
    }
    let known = |(_, names): &&(_, &[&str])| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    OTHERS.iter().find(known).map_or(Curve::Unknown, |_| {
        Curve::Other(format!("on the curve {name}"))
    })
}

/// Determines the curve by the field in explicit parameters: a version, followed by the field's
/// type and order. Of the common curves, only secp256k1 uses this field.
fn of_field(explicit: &[u8]) -> Curve {
    let order = || {
        let (_version, rest) = der::content(explicit, INTEGER)?;
        let (field, _) = der::content(rest, SEQUENCE)?;
        let (_kind, rest) = der::content(field, OBJECT_ID)?;
        der::content(rest, INTEGER).map(|(order, _)| unsigned(order))
    };
    match order() {
        Some(order) if order == FIELD => Curve::Secp256k1,
        Some(order) if !order.is_empty() => Curve::Other(format!(
            "on a curve over the field of order {:x}",
            order[..order.len().min(66)].as_hex()
        )),
        _ => Curve::Unknown,
    }
}

/// Returns the number without leading zeros.
pub(crate) fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn other(params: &[u8]) -> Curve {
    let shown = &params[..params.len().min(32)];
    Curve::Other(format!(
        "on a curve with the parameters {:x}",
        shown.as_hex()
    ))
}

/// Returns the point in `CKA_EC_POINT`: a DER octet string by the standard; in some modules a bit
/// string, a whole `SubjectPublicKeyInfo`, or unwrapped; uncompressed, compressed, hybrid, or just
/// X and Y; possibly followed by zeros. Other bytes cannot be mistaken for a point: its coordinates
/// must be on the curve.
pub(crate) fn point(attribute: &[u8]) -> Option<PublicKey> {
    if attribute.len() > MAX_POINT {
        return None;
    }
    let wrapped = || {
        let (tag, content, rest) = der::element(attribute)?;
        // A fixed-size buffer is filled with zeros.
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        match tag {
            OCTET_STRING => bare(content).or_else(|| point(content)),
            BIT_STRING => bits(content),
            SEQUENCE => {
                let (_algorithm, rest) = der::content(content, SEQUENCE)?;
                bits(der::content(rest, BIT_STRING)?.0)
            }
            _ => None,
        }
    };
    bare(attribute).or_else(wrapped)
}

/// Returns the content of a bit string, whose first byte is the number of unused bits at the end.
fn bits(content: &[u8]) -> Option<PublicKey> {
    let (unused, point) = content.split_first()?;
    bare(point).filter(|_| *unused == 0)
}

fn bare(point: &[u8]) -> Option<PublicKey> {
    if point.len() == 64 {
        let mut whole = [4; 65];
        whole[1..].copy_from_slice(point);
        return PublicKey::from_slice(&whole).ok();
    }
    PublicKey::from_slice(point).ok()
}

/// Returns the `CKA_EC_POINT` of a public key.
pub(crate) fn point_attribute(key: &PublicKey) -> Vec<u8> {
    let point = key.serialize_uncompressed();
    let mut attribute = vec![OCTET_STRING, 65];
    attribute.extend_from_slice(&point);
    attribute
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secp256k1::{SECP256K1 as CONTEXT, SecretKey};

    use super::*;

    fn wrapped(tag: u8, head: &[u8], content: &[u8]) -> Vec<u8> {
        [&[tag], head, content].concat()
    }

    /// Returns the forms of a point that modules are known to return, with their names.
    fn forms(key: &PublicKey) -> Vec<(&'static str, Vec<u8>)> {
        let raw = key.serialize_uncompressed();
        let compressed = key.serialize();
        let mut hybrid = raw;
        hybrid[0] = 6 + (raw[64] & 1);
        let in_bits = [&[0], &raw[..]].concat();
        let algorithm = [
            0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 10,
        ];
        let info = [&algorithm[..], &wrapped(BIT_STRING, &[66], &in_bits)].concat();
        let octets = wrapped(OCTET_STRING, &[65], &raw);
        vec![
            ("raw", raw.to_vec()),
            ("X||Y", raw[1..].to_vec()),
            ("compressed", compressed.to_vec()),
            ("hybrid", hybrid.to_vec()),
            ("octets of X||Y", wrapped(OCTET_STRING, &[64], &raw[1..])),
            (
                "octets of compressed",
                wrapped(OCTET_STRING, &[33], &compressed),
            ),
            ("octets of hybrid", wrapped(OCTET_STRING, &[65], &hybrid)),
            (
                "length of 2 bytes",
                wrapped(OCTET_STRING, &[0x81, 65], &raw),
            ),
            (
                "length of 3 bytes",
                wrapped(OCTET_STRING, &[0x82, 0, 65], &raw),
            ),
            (
                "length of 4 bytes",
                wrapped(OCTET_STRING, &[0x83, 0, 0, 65], &raw),
            ),
            (
                "length of 5 bytes",
                wrapped(OCTET_STRING, &[0x84, 0, 0, 0, 65], &raw),
            ),
            ("zeros behind", [&octets[..], &[0, 0, 0]].concat()),
            ("octets in octets", wrapped(OCTET_STRING, &[67], &octets)),
            ("bits", wrapped(BIT_STRING, &[66], &in_bits)),
            (
                "bits with a long length",
                wrapped(BIT_STRING, &[0x81, 66], &in_bits),
            ),
            ("info", wrapped(SEQUENCE, &[86], &info)),
            (
                "info with a long length",
                wrapped(SEQUENCE, &[0x81, 86], &info),
            ),
            (
                "info in octets",
                wrapped(OCTET_STRING, &[88], &wrapped(SEQUENCE, &[86], &info)),
            ),
            ("octets", octets),
        ]
    }

    proptest! {
        #[test]
        fn every_form_of_a_point_is_read(bytes in prop::array::uniform32(1_u8..)) {
            prop_assume!(SecretKey::from_slice(&bytes).is_ok());
            let key = SecretKey::from_slice(&bytes).expect("assumed").public_key(CONTEXT);
            prop_assert_eq!(point(&point_attribute(&key)), Some(key));
            for (name, form) in forms(&key) {
                prop_assert_eq!(point(&form), Some(key), "{}", name);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = point(&bytes);
            let _ = of_params(&bytes);
        }

        #[test]
        fn a_modified_point_is_refused(at in 0_usize..67, by in 1_u8..) {
            let key = SecretKey::from_slice(&[7; 32]).expect("a key").public_key(CONTEXT);
            let mut altered = point_attribute(&key);
            altered[at] ^= by;
            let read = point(&altered);
            // Only the hybrid header has the same meaning.
            prop_assert!(read.is_none() || read == Some(key), "{read:?}");
        }
    }

    #[test]
    fn other_bytes_are_not_a_point() {
        let key = SecretKey::from_slice(&[7; 32])
            .expect("a key")
            .public_key(CONTEXT);
        let octets = point_attribute(&key);
        for other in [
            &octets[..66],
            &[&octets[..], &[1]].concat(),
            &[0; 64],
            &[0; 65],
            &[4, 0x80],
            &[4, 0x85, 0, 0, 0, 0, 65],
            &[],
        ] {
            assert_eq!(point(other), None, "{other:?}");
        }
    }

    fn explicit(order: &[u8]) -> Vec<u8> {
        let prime = [
            &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 1, 2],
            &[order.len() as u8][..],
            order,
        ]
        .concat();
        let field = wrapped(SEQUENCE, &[prime.len() as u8], &prime);
        let all = [&[2, 1, 1], &field[..], &[0x30, 0]].concat();
        wrapped(SEQUENCE, &[all.len() as u8], &all)
    }

    #[test]
    fn the_curve_is_known_by_identifier_name_or_parameters() {
        let prime = [&[0], &FIELD[..]].concat();
        let long = [&[6, 0x81, 5], &SECP256K1[2..]].concat();
        for ours in [
            &SECP256K1[..],
            &SECP256K1[2..],
            &long,
            &wrapped(PRINTABLE_STRING, &[9], b"secp256k1"),
            &wrapped(UTF8_STRING, &[9], b"secp256k1"),
            &wrapped(IA5_STRING, &[9], b"SECP256K1"),
            b"secp256k1",
            b"secp256k1\0\0 ",
            &explicit(&prime),
        ] {
            assert_eq!(of_params(ours), Curve::Secp256k1, "{ours:?}");
        }
    }

    #[test]
    fn other_curves_are_named() {
        let named = |params: &[u8], name: &str| {
            assert_eq!(
                of_params(params),
                Curve::Other(name.to_owned()),
                "{params:?}"
            );
        };
        let p256 = OTHERS[0].0;
        named(&wrapped(OBJECT_ID, &[8], p256), "on the curve P-256");
        named(p256, "on the curve P-256");
        named(
            &wrapped(PRINTABLE_STRING, &[10], b"prime256v1"),
            "on the curve prime256v1",
        );
        named(&[6, 1, 2], "on a curve with the parameters 060102");
        named(
            &explicit(&[0, 0xfd]),
            "on a curve over the field of order fd",
        );
    }

    #[test]
    fn unintelligible_parameters_leave_the_curve_unknown() {
        for untold in [
            &[][..],
            &[1, 2],
            b"our curve",
            &explicit(&[0; 33]),
            &[0x30, 0],
        ] {
            assert_eq!(of_params(untold), Curve::Unknown, "{untold:?}");
        }
    }
}
