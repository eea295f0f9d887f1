//! Encodings: each message has exactly one, and no outside input panics.

use std::collections::BTreeMap;

use bytes::Bytes;
use federation_block_signing::{
    BlockSignature, Body, BodyRequest, Candidate, Certificate, CompactSignature,
    DecodeMessageError, IdentitySignature, Message, MessageParts, Proposal, Record,
    RoundCertificate, SignatureSet, Standing, Vote, VoteKind,
};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{OperatorId, Round};
use proptest::prelude::*;

fn hash() -> impl Strategy<Value = BlockHash> {
    any::<[u8; 32]>().prop_map(BlockHash::from_bytes)
}

fn height() -> impl Strategy<Value = BlockHeight> {
    any::<u32>().prop_map(BlockHeight::new)
}

fn round() -> impl Strategy<Value = Round> {
    any::<u32>().prop_map(Round::new)
}

fn wide() -> impl Strategy<Value = [u8; 64]> {
    any::<([u8; 32], [u8; 32])>().prop_map(|(a, b)| {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&a);
        bytes[32..].copy_from_slice(&b);
        bytes
    })
}

fn kind() -> impl Strategy<Value = VoteKind> {
    prop_oneof![Just(VoteKind::Prevote), Just(VoteKind::Precommit)]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn proposal() -> impl Strategy<Value = Proposal> {
    (height(), round(), hash(), prop::option::of(round())).prop_map(
        |(height, round, hash, valid_round)| Proposal {
            height,
            round,
            hash,
            valid_round,
        },
    )
}

fn vote() -> impl Strategy<Value = Vote> {
    (kind(), height(), round(), prop::option::of(hash())).prop_map(
        |(kind, height, round, value)| Vote {
            kind,
            height,
            round,
            value,
        },
    )
}

fn certificate() -> impl Strategy<Value = Certificate> {
    let votes = prop::collection::btree_map(any::<u8>(), wide(), 0..20);
    (kind(), height(), round(), hash(), votes).prop_map(|(kind, height, round, hash, votes)| {
        let votes = votes.into_iter();
        let votes: BTreeMap<_, _> = votes
            .map(|(id, s)| (OperatorId::new(id), IdentitySignature::from_bytes(s)))
            .collect();
        Certificate {
            kind,
            height,
            round,
            hash,
            votes,
        }
    })
}

fn round_certificate() -> impl Strategy<Value = RoundCertificate> {
    let vote = (prop::option::of(hash()), wide());
    let votes = prop::collection::btree_map(any::<u8>(), vote, 0..20);
    (height(), round(), votes).prop_map(|(height, round, votes)| {
        let votes = votes.into_iter().map(|(id, (value, signature))| {
            let signature = IdentitySignature::from_bytes(signature);
            (OperatorId::new(id), (value, signature))
        });
        RoundCertificate {
            height,
            round,
            votes: votes.collect(),
        }
    })
}

fn block_signature() -> impl Strategy<Value = BlockSignature> {
    (height(), hash(), wide()).prop_map(|(height, hash, signature)| BlockSignature {
        height,
        hash,
        signature: CompactSignature::from_bytes(signature),
    })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        proposal().prop_map(Message::Proposal),
        (height(), hash(), bytes()).prop_map(|(height, hash, bytes)| Message::Body(Body {
            height,
            hash,
            bytes
        })),
        vote().prop_map(Message::Vote),
        certificate().prop_map(Message::Certificate),
        round_certificate().prop_map(Message::RoundCertificate),
        block_signature().prop_map(Message::BlockSignature),
        (height(), hash(), any::<u8>()).prop_map(|(height, hash, asked)| {
            Message::BodyRequest(BodyRequest {
                height,
                hash,
                asked: OperatorId::new(asked),
            })
        }),
        (
            height(),
            hash(),
            prop::collection::btree_map(any::<u8>().prop_map(OperatorId::new), wide(), 0..5)
        )
            .prop_map(|(height, hash, signatures)| {
                let signature = |(id, bytes)| (id, CompactSignature::from_bytes(bytes));
                Message::SignatureSet(SignatureSet {
                    height,
                    hash,
                    signatures: signatures.into_iter().map(signature).collect(),
                })
            }),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let candidate = (hash(), hash(), height(), any::<u64>(), bytes()).prop_map(
        |(hash, previous, height, time, bytes)| Candidate {
            hash,
            previous,
            height,
            time: UnixTime::from_millis(time),
            bytes,
        },
    );
    prop_oneof![
        height().prop_map(Record::Final),
        Just(Record::Standing(Standing::Observing { since: None })),
        any::<u64>().prop_map(|since| {
            let since = Some(UnixTime::from_millis(since));
            Record::Standing(Standing::Observing { since })
        }),
        Just(Record::Standing(Standing::Participating)),
        (height(), round()).prop_map(|(height, round)| Record::Round(height, round)),
        proposal().prop_map(Record::Proposal),
        vote().prop_map(Record::Vote),
        candidate.prop_map(Record::Body),
        certificate().prop_map(Record::ProofOfLock),
        certificate().prop_map(Record::Decision),
        block_signature().prop_map(Record::Signature),
        round_certificate().prop_map(Record::RoundCertificate),
    ]
}

proptest! {
    #[test]
    fn messages_decode_to_themselves(message in message()) {
        prop_assert_eq!(Message::from_parts(message.to_parts()), Ok(message));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_and_encodings_are_canonical(
        kind in 0u8..12, height in height(), round in round(), payload in bytes(),
    ) {
        let parts = MessageParts { kind, height, round, payload };
        if let Ok(message) = Message::from_parts(parts.clone()) {
            prop_assert_eq!(message.to_parts(), parts);
        }
    }

    #[test]
    fn payloads_with_trailing_bytes_are_rejected(message in message()) {
        let mut parts = message.to_parts();
        let mut longer = parts.payload.to_vec();
        longer.push(0);
        parts.payload = Bytes::from(longer);
        let is_body = matches!(message, Message::Body(_));
        prop_assert_eq!(Message::from_parts(parts).is_ok(), is_body);
    }

    #[test]
    fn records_decode_to_themselves(record in record()) {
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn no_bytes_make_the_record_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::from_bytes(&bytes);
    }

    #[test]
    fn keys_of_records_sort_by_height(a in record(), b in record()) {
        if a.height() < b.height() {
            prop_assert!(a.key() < b.key());
        }
        if let Some(height) = a.height() {
            prop_assert!(Record::height_key(height) <= a.key());
            prop_assert!(height.next() == height || a.key() < Record::height_key(height.next()));
        }
    }
}

#[test]
fn observer_records_of_earlier_versions_are_read() {
    let observing = Record::Standing(Standing::Observing { since: None });
    assert_eq!(Record::from_bytes(&[1, 1, 0]), Ok(observing));
    let taking_part = Record::Standing(Standing::Participating);
    assert_eq!(Record::from_bytes(&[1, 1, 1]), Ok(taking_part));
}

#[test]
fn decoded_body_shares_the_payloads_memory() {
    let body = Body {
        height: BlockHeight::new(1),
        hash: BlockHash::from_bytes([1; 32]),
        bytes: Bytes::from(vec![7; 1000]),
    };
    let parts = Message::Body(body).to_parts();
    let start = parts.payload.as_ptr() as usize;
    let Ok(Message::Body(again)) = Message::from_parts(parts) else {
        panic!("a body must decode as a body");
    };
    assert_eq!(again.bytes.as_ptr() as usize, start + 32);
}

#[test]
fn errors_name_the_malformed_part() {
    let parts = |kind, round, payload: Vec<u8>| MessageParts {
        kind,
        height: BlockHeight::new(1),
        round: Round::new(round),
        payload: Bytes::from(payload),
    };
    assert_eq!(
        Message::from_parts(parts(200, 0, vec![])),
        Err(DecodeMessageError::UnknownKind(200))
    );
    assert_eq!(
        Message::from_parts(parts(3, 0, vec![0; 40_000])),
        Err(DecodeMessageError::TooLong {
            kind: 3,
            length: 40_000,
            limit: 32 * 1024
        })
    );
    assert_eq!(
        Message::from_parts(parts(2, 5, vec![0; 40])),
        Err(DecodeMessageError::UnexpectedRound {
            kind: 2,
            round: Round::new(5)
        })
    );
}
