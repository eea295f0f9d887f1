//! Headers round-trip, and every change of a byte is an error or another header.

use elements::{Script, dynafed::FullParams};
use hex_conservative::FromHex;
use proptest::prelude::*;

use super::{codec::DYNAFED_BIT, *};

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

fn params() -> impl Strategy<Value = Params> {
    let full = || {
        (
            bytes(60),
            any::<u32>(),
            bytes(60),
            bytes(60),
            prop::collection::vec(bytes(70), 0..4),
        )
            .prop_map(|(script, limit, program, fedpeg, pak)| {
                Params::Full(FullParams::new(
                    Script::from(script),
                    limit,
                    bitcoin::ScriptBuf::from(program),
                    fedpeg,
                    pak,
                ))
            })
    };
    prop_oneof![
        Just(Params::Null),
        full(),
        full().prop_map(|full| match full {
            Params::Full(full) => full.into_compact(),
            other => other,
        }),
    ]
}

fn hash() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn proof() -> impl Strategy<Value = Proof> {
    prop_oneof![
        (hash(), hash(), hash(), bytes(300), bytes(300)).prop_map(
            |(contract, attestation, mapping, challenge, solution)| Proof::Ocean {
                contract,
                attestation,
                mapping,
                challenge,
                solution
            }
        ),
        (bytes(300), bytes(300)).prop_map(|(challenge, solution)| Proof::Signed {
            challenge,
            solution
        }),
        (params(), params(), prop::collection::vec(bytes(300), 0..5))
            .prop_filter("no parameters", |(current, proposed, _)| {
                !current.is_null() || !proposed.is_null()
            })
            .prop_map(|(current, proposed, witness)| Proof::Dynafed {
                current,
                proposed,
                witness
            }),
    ]
}

prop_compose! {
    fn header()(
        version in any::<u32>(), previous in hash(), merkle_root in hash(),
        time in any::<u32>(), height in any::<u32>(), proof in proof(),
    ) -> Header {
        Header::new(HeaderFields {
            version,
            previous: BlockHash::from_bytes(previous),
            merkle_root,
            time,
            height: BlockHeight::new(height),
            proof,
        })
    }
}

proptest! {
    #[test]
    fn every_header_decodes_to_itself_and_its_hash_ignores_signatures(header in header()) {
        let bytes = header.encode();
        let decoded = Header::decode(header.dialect(), &bytes);
        prop_assert_eq!(decoded.as_ref(), Ok(&header));
        let unsigned = header.clone().without_signatures();
        prop_assert!(unsigned.is_unsigned());
        prop_assert_eq!(unsigned.block_hash(), header.block_hash());

        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(
            Header::decode(header.dialect(), &longer),
            Err(DecodeError::TrailingBytes(1))
        );
        prop_assert!(Header::decode(header.dialect(), &bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_header(
        header in header(), at in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let mut bytes = header.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        for dialect in Dialect::ALL {
            if let Ok(decoded) = Header::decode(dialect, &bytes) {
                prop_assert_eq!(&decoded.encode(), &bytes);
                prop_assert_ne!(&decoded, &header);
            }
        }
    }

    #[test]
    fn garbage_is_an_error_or_encodes_to_itself(bytes in bytes(600)) {
        for dialect in Dialect::ALL {
            if let Ok(header) = Header::decode(dialect, &bytes) {
                prop_assert_eq!(&header.encode(), &bytes);
            }
        }
    }
}

/// Returns a dynafed header's bytes with what follows the height replaced.
fn dynafed_bytes(tail: &[u8]) -> Vec<u8> {
    let mut bytes = DYNAFED_BIT.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 72]);
    bytes.extend_from_slice(tail);
    bytes
}

#[test]
fn a_dynafed_header_without_parameters_is_refused() {
    assert_eq!(
        Header::decode(Dialect::Dynafed, &dynafed_bytes(&[0, 0, 0])),
        Err(DecodeError::Params(76))
    );
}

#[test]
fn a_witness_of_more_items_than_a_script_may_have_is_refused_before_it_is_read() {
    let mut tail = vec![1, 0];
    tail.extend_from_slice(&[0; 4 + 32]);
    tail.push(0); // nothing proposed
    tail.extend_from_slice(&[0xfd, 0xe9, 0x03]); // 1001 items
    assert_eq!(
        Header::decode(Dialect::Dynafed, &dynafed_bytes(&tail)),
        Err(DecodeError::TooLong {
            at: 76 + 39,
            length: 1001
        })
    );
}

#[test]
fn parameters_of_an_unknown_kind_are_refused() {
    assert_eq!(
        Header::decode(Dialect::Dynafed, &dynafed_bytes(&[3, 0, 0])),
        Err(DecodeError::Params(76))
    );
}

/// The parameters of a custom chain that anyone may sign, and their root as in the nodes' own test
/// (`initial_cpe_root` in `feature_dynafed.py`).
#[test]
fn the_root_of_parameters_equals_the_nodes_root() {
    let script =
        "0020".to_owned() + "4ae81572f06e1b88fd5ced7a1a000945432e83e1551e6f721ee9c00b8cc33260";
    let program = "a91472c44f957fc011d97e3406667dca5b1c930c402687";
    let pak = "02fcba7ecf41bc7e1be4ee122d9d22e3333671eb0a3a87b5cdf099d59874e1940f".repeat(2);
    let from_hex = |hex: &str| Vec::<u8>::from_hex(hex).expect("hex");
    let full = FullParams::new(
        Script::from(from_hex(&script)),
        74,
        bitcoin::ScriptBuf::from(from_hex(program)),
        vec![0x51],
        vec![from_hex(&pak)],
    );
    let root = "3700bdb2975ff8e0dadaaba2b33857b0ca2610c950a92b1db725025e3647a8e1";
    let compact = full.clone().into_compact();
    assert_eq!(full.calculate_root().to_string(), root);
    assert_eq!(compact.calculate_root().to_string(), root);
}
