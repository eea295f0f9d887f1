//! Guard records: one encoding, one owner, and every bit matters.

use proptest::{collection::btree_map, prelude::*};

use super::*;
use crate::{IdentitySigner, Secret, SoftwareIdentity};

fn secret(seed: u8) -> Secret {
    Secret::from_hex(&format!("{seed:02x}").repeat(32)).expect("a key")
}

fn identity(seed: u8) -> SoftwareIdentity {
    SoftwareIdentity::new(secret(seed))
}

fn pin() -> GuardPin {
    GuardPin {
        federation: FederationId::from_bytes([7; 32]),
        genesis: BlockHash::from_bytes([8; 32]),
        block_key: secret(1).public_key(),
    }
}

async fn sign(record: GuardRecord, identity: &SoftwareIdentity) -> SignedGuardRecord {
    let signature = identity
        .sign_envelope(record.signing_digest())
        .await
        .expect("a key in memory signs");
    record.with_signature(signature)
}

fn signed(record: GuardRecord) -> SignedGuardRecord {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(sign(record, &identity(2)))
}

fn example() -> GuardRecord {
    let at = |height, hash| (BlockHeight::new(height), BlockHash::from_bytes([hash; 32]));
    GuardRecord {
        pin: pin(),
        kind: GuardRecordKind::Transfer,
        number: 3,
        written: UnixTime::from_secs(1_700_000_000),
        state: GuardState::new(Some(BlockHeight::new(6)), [at(6, 1), at(7, 2)]),
    }
}

prop_compose! {
    fn any_record()(
        transfer in any::<bool>(),
        number in any::<u32>(),
        written in 0..u64::from(u32::MAX),
        highest_final in any::<Option<u32>>(),
        hashes in btree_map(any::<u32>(), any::<[u8; 32]>(), 0..20),
    ) -> GuardRecord {
        let hashes = hashes
            .into_iter()
            .map(|(height, hash)| (BlockHeight::new(height), BlockHash::from_bytes(hash)));
        GuardRecord {
            pin: pin(),
            kind: if transfer { GuardRecordKind::Transfer } else { GuardRecordKind::Copy },
            number,
            written: UnixTime::from_secs(written),
            state: GuardState::new(highest_final.map(BlockHeight::new), hashes),
        }
    }
}

proptest! {
    #[test]
    fn every_record_round_trips(record in any_record()) {
        let signed = signed(record.clone());
        let text = signed.encode();
        let decoded = SignedGuardRecord::decode(text.as_bytes());
        prop_assert_eq!(decoded.as_ref(), Ok(&signed));
        let verified = signed.verify(&pin(), &identity(2).public_key());
        prop_assert_eq!(verified, Ok(record));
    }

    #[test]
    fn a_file_with_any_bit_flipped_is_refused(
        record in any_record(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let mut bytes = signed(record).encode().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let refused = SignedGuardRecord::decode(&bytes)
            .ok()
            .is_none_or(|record| record.verify(&pin(), &identity(2).public_key()).is_err());
        prop_assert!(refused, "byte {}: {}", at, String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in any::<Vec<u8>>(), cut in any::<prop::sample::Index>()) {
        let _ = SignedGuardRecord::decode(&bytes);
        let text = signed(example()).encode();
        let cut = &text.as_bytes()[..cut.index(text.len())];
        prop_assert!(SignedGuardRecord::decode(cut).is_err());
        let _ = SignedGuardRecord::decode(&[cut, &bytes].concat());
    }
}

#[test]
fn every_bit_of_a_file_matters() {
    let text = signed(example()).encode();
    let key = identity(2).public_key();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let refused = SignedGuardRecord::decode(&bytes)
                .ok()
                .is_none_or(|record| record.verify(&pin(), &key).is_err());
            assert!(refused, "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn the_file_has_the_documented_form() {
    let text = signed(example()).encode();
    let (lines, signature) = text.rsplit_once(SIGNATURE).expect("a signature");
    let expected = "\
federation guard record, version 1
federation: 0707070707070707070707070707070707070707070707070707070707070707
chain: 0808080808080808080808080808080808080808080808080808080808080808
block key: 031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f
kind: transfer
number: 3
written: 1700000000
final: 6
signed: 6 0101010101010101010101010101010101010101010101010101010101010101
signed: 7 0202020202020202020202020202020202020202020202020202020202020202
";
    assert_eq!(lines, expected);
    assert_eq!(signature.trim_end().len(), 128);
}

#[test]
fn the_record_of_another_federation_chain_key_or_operator_is_refused() {
    let key = identity(2).public_key();
    let other = |change: fn(&mut GuardPin)| {
        let mut record = example();
        change(&mut record.pin);
        signed(record).verify(&pin(), &key)
    };
    let federation = other(|pin| pin.federation = FederationId::from_bytes([9; 32]));
    assert!(matches!(
        federation,
        Err(GuardRecordError::Federation { .. })
    ));
    let chain = other(|pin| pin.genesis = BlockHash::from_bytes([9; 32]));
    assert!(matches!(chain, Err(GuardRecordError::Chain { .. })));
    let block_key = other(|pin| pin.block_key = secret(9).public_key());
    assert!(matches!(block_key, Err(GuardRecordError::BlockKey { .. })));
    let stranger = identity(3).public_key();
    assert_eq!(
        signed(example()).verify(&pin(), &stranger),
        Err(GuardRecordError::Signature(stranger))
    );
}

#[test]
fn another_encoding_of_the_same_record_is_refused() {
    let text = signed(example()).encode();
    let not_canonical = Err(DecodeGuardRecordError::NotCanonical);
    for (from, to) in [
        ("number: 3", "number: 03"),
        ("number: 3", "number: +3"),
        ("final: 6", "final: 06"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert_eq!(SignedGuardRecord::decode(changed.as_bytes()), not_canonical);
    }
    for changed in [
        text.replacen(SIGNATURE, "signed: 7 0303030303030303030303030303030303030303030303030303030303030303\nsignature: ", 1),
        format!("{text}\n"),
        text.trim_end().to_owned(),
        text.replace('\n', "\r\n"),
    ] {
        assert!(SignedGuardRecord::decode(changed.as_bytes()).is_err());
    }
    let newer = text.replace("version 1", "version 2");
    assert_eq!(
        SignedGuardRecord::decode(newer.as_bytes()),
        Err(DecodeGuardRecordError::Version("2".to_owned()))
    );
    assert_eq!(
        SignedGuardRecord::decode(b"{}"),
        Err(DecodeGuardRecordError::NoRecord)
    );
    let long = vec![b'a'; MAX_GUARD_RECORD_BYTES + 1];
    assert_eq!(
        SignedGuardRecord::decode(&long),
        Err(DecodeGuardRecordError::TooLong(MAX_GUARD_RECORD_BYTES + 1))
    );
}

#[test]
fn the_fullest_guard_fits_into_a_file() {
    let top = u32::MAX - 5000;
    let lowest = top - AUDIT_HEIGHTS;
    let open = u32::try_from(MAX_OPEN_HEIGHTS).expect("small");
    let hashes = (lowest..=top + open)
        .map(|height| (BlockHeight::new(height), BlockHash::from_bytes([0xff; 32])));
    let mut record = example();
    record.number = u32::MAX;
    record.state = GuardState::new(Some(BlockHeight::new(top)), hashes);
    let text = signed(record.clone()).encode();
    let decoded = SignedGuardRecord::decode(text.as_bytes()).expect("it fits");
    assert_eq!(decoded.unverified(), &record);
}
