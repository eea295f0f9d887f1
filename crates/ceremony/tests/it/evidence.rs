//! Evidence proves that a member has equivocated, and accuses nobody else.

use federation_ceremony::{
    Added, Body, Ceremony, CeremonyError, Certificate, Digest, Evidence, EvidenceError, KeyUse,
    Message, MessageError, message_digest,
};
use proptest::prelude::*;
use secp256k1::{Message as Signed, SECP256K1};

use crate::common::{
    all_messages, block_key, identity, join_at, join_proven, opened, peg_key, proposal, propose,
    prove, sign,
};

fn opening() -> Message {
    propose(proposal(1, &[0, 1, 2, 3, 4]))
}

fn evidence() -> Evidence {
    let id = opened().id();
    Evidence::new(opening(), [join_at(id, 2, 7000), join_at(id, 2, 7001)]).expect("a proof")
}

#[test]
fn it_names_the_culprit_and_is_the_same_in_either_order() {
    let evidence = evidence();
    assert_eq!(evidence.member(), "party-2");
    assert_eq!(*evidence.identity(), identity(2).x_only_public_key().0);
    assert_eq!(
        (evidence.kind(), evidence.ceremony()),
        ("join", opened().id())
    );
    let text = evidence.to_text();
    assert_eq!(Evidence::parse(&text), Ok(evidence.clone()));
    let [one, other] = evidence.messages().clone();
    let reversed = Evidence::new(opening(), [other, one]).expect("a proof");
    assert_eq!(reversed.to_text(), text);
}

#[test]
fn a_ceremony_gives_it_for_joins_and_approvals() {
    let mut ceremony = opened();
    let id = ceremony.id();
    let approval = |byte| {
        sign(
            id,
            3,
            Body::Approval(federation_ceremony::Approval {
                manifest: Digest::from_bytes([byte; 32]),
                genesis: "00".repeat(32),
            }),
        )
    };
    assert_eq!(ceremony.add(approval(1)).expect("added"), Added::New);
    let Added::Equivocation(evidence) = ceremony.add(approval(2)).expect("added") else {
        panic!("an equivocation");
    };
    assert_eq!(
        (evidence.member(), evidence.kind()),
        ("party-3", "approval")
    );
    assert_eq!(Evidence::parse(&evidence.to_text()), Ok(*evidence));
}

#[test]
fn messages_without_contradiction_accuse_nobody() {
    let id = opened().id();
    let (one, other) = (join_at(id, 2, 7000), join_at(id, 2, 7001));
    let approval = sign(
        id,
        2,
        Body::Approval(federation_ceremony::Approval {
            manifest: Digest::from_bytes([1; 32]),
            genesis: String::new(),
        }),
    );
    let foreign = propose(proposal(2, &[0, 1, 2]));
    for (opening, messages, reason) in [
        (opening(), [one.clone(), one.clone()], "the same content"),
        (
            opening(),
            [one.clone(), join_at(id, 3, 7000)],
            "different senders",
        ),
        (opening(), [one.clone(), approval], "different kinds"),
        (foreign, [one.clone(), other.clone()], "another ceremony"),
        (one.clone(), [one.clone(), other], "no proposal"),
        (
            opening(),
            [sign(id, 7, one.body().clone()), join_at(id, 7, 7001)],
            "not a member",
        ),
    ] {
        let error = Evidence::new(opening, messages).expect_err("no proof");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_forged_message_accuses_nobody() {
    let forged = evidence()
        .to_text()
        .replace(".example:7001", ".example:7002");
    assert!(matches!(
        Evidence::parse(&forged),
        Err(EvidenceError::Message(MessageError::Signature { .. }))
    ));
}

/// A join with keys in a hardware module, which makes a different signature each time.
fn join_by_module(index: u8, random: u8) -> Message {
    let id = opened().id();
    let owner = identity(index).x_only_public_key().0;
    let keys = [
        (KeyUse::Block, block_key(index)),
        (KeyUse::Peg, peg_key(index)),
    ];
    let keys = keys.map(|(usage, secret)| {
        let mut proven = prove(id, index, usage, &secret);
        let digest = federation_ceremony::proof_digest(id, &owner, usage, &proven.key);
        let signed = Signed::from_digest(digest.to_bytes());
        proven.proof = SECP256K1.sign_ecdsa_with_noncedata(&signed, &secret, &[random; 32]);
        proven
    });
    join_proven(id, index, 7000, keys.to_vec())
}

#[test]
fn a_second_proof_of_the_same_key_is_not_a_contradiction() {
    let (first, second) = (join_by_module(2, 1), join_by_module(2, 2));
    assert_ne!(first, second);
    let certificates: Vec<_> = [[&first, &second], [&second, &first]]
        .into_iter()
        .map(|joins| {
            let mut ceremony = opened();
            for (join, expected) in joins.into_iter().zip([Added::New, Added::Known]) {
                assert_eq!(ceremony.add(join.clone()).expect("added"), expected);
            }
            assert_eq!(ceremony.evidence().count(), 0);
            for message in all_messages() {
                ceremony.add(message).expect("added");
            }
            Certificate::new(ceremony).expect("complete").to_text()
        })
        .collect();
    assert_eq!(certificates[0], certificates[1]);
}

#[test]
fn an_approval_is_bound_to_its_sender_its_ceremony_and_what_it_approves() {
    let messages = all_messages();
    let approval = messages.last().expect("the last approval");
    let reuse =
        |ceremony, sender, body| Message::new(ceremony, sender, body, *approval.signature());
    let (id, sender) = (approval.ceremony(), *approval.sender());
    let body = || approval.body().clone();
    assert!(reuse(id, sender, body()).is_ok());
    let other_sender = identity(1).x_only_public_key().0;
    let other_ceremony = Digest::from_bytes([9; 32]);
    let other_body = Body::Approval(federation_ceremony::Approval {
        manifest: Digest::from_bytes([9; 32]),
        ..match body() {
            Body::Approval(approval) => approval,
            _ => panic!("an approval"),
        }
    });
    for reused in [
        reuse(id, other_sender, body()),
        reuse(other_ceremony, sender, body()),
        reuse(id, sender, other_body),
    ] {
        assert!(matches!(reused, Err(MessageError::Signature { .. })));
    }
    // The digest depends on the sender, so one member cannot sign for another.
    let digest = message_digest(id, &sender, approval.body()).expect("a body");
    assert_ne!(
        digest,
        message_digest(id, &other_sender, approval.body()).expect("a body")
    );
}

#[test]
fn a_message_by_a_stranger_is_refused() {
    let mut ceremony: Ceremony = opened();
    let id = ceremony.id();
    assert!(matches!(
        ceremony.add(join_at(id, 9, 7000)),
        Err(CeremonyError::Stranger { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_changed_byte_never_accuses_anybody_of_something_else(at in any::<prop::sample::Index>(), letter in any::<u8>()) {
        let text = evidence().to_text();
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = letter;
        if let Ok(changed) = String::from_utf8(bytes)
            && let Ok(read) = Evidence::parse(&changed)
        {
            prop_assert_eq!(read, evidence());
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        prop_assert!(Evidence::parse(&text).is_err());
    }
}
