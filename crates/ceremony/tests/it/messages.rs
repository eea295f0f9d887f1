//! Messages in any order, losses, duplicates, a party that equivocates, a party that drops out.

use federation_ceremony::{
    Added, Body, Ceremony, CeremonyError, Certificate, ChainError, KeyUse, Message, MessageError,
    Proposal,
};
use proptest::prelude::*;

use crate::common::{
    N, all_messages, block_key, gather, join_at, join_with, opened, proposal, propose, sign,
};

/// A permutation of all messages, some of them twice.
fn order() -> impl Strategy<Value = Vec<usize>> {
    let twice: Vec<usize> = (0..2 * usize::from(N)).chain(0..4).collect();
    Just(twice).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_order_makes_the_same_certificate(order in order()) {
        let messages = all_messages();
        let in_order = Certificate::new(gather(&messages)).expect("complete").to_text();
        let shuffled: Vec<_> = order.iter().map(|at| messages[*at].clone()).collect();
        let certificate = Certificate::new(gather(&shuffled)).expect("complete");
        prop_assert_eq!(certificate.to_text(), in_order.clone());
        let read = Certificate::parse(&in_order).expect("verifies");
        prop_assert_eq!(read.to_text(), in_order);
    }

    #[test]
    fn there_is_no_certificate_until_a_lost_message_arrives(order in order(), lost in 0..10_usize) {
        let messages = all_messages();
        let some: Vec<_> = order
            .iter()
            .filter(|at| **at != lost)
            .map(|at| messages[*at].clone())
            .collect();
        let mut ceremony = gather(&some);
        let name = format!("party-{}", lost % usize::from(N));
        match ceremony.agreed().expect_err("incomplete") {
            CeremonyError::Chain(ChainError::Missing(who)) => prop_assert_eq!(who, name),
            CeremonyError::NotApproved(who) => prop_assert_eq!(who, name),
            other => prop_assert!(false, "{other}"),
        }
        ceremony.add(messages[lost].clone()).expect("added");
        prop_assert!(Certificate::new(ceremony).is_ok());
    }

    #[test]
    fn a_party_that_equivocates_is_named_in_every_order(
        order in order(), culprit in 0..N, at in 0..14_usize,
    ) {
        let messages = all_messages();
        let other = join_at(opened().id(), culprit, 7001);
        let mut shuffled: Vec<_> = order.iter().map(|at| messages[*at].clone()).collect();
        shuffled.insert(at, other);
        let ceremony = gather(&shuffled);
        let evidence: Vec<_> = ceremony.evidence().collect();
        prop_assert_eq!(evidence.len(), 1);
        prop_assert_eq!(evidence[0].member(), format!("party-{culprit}"));
        let [first, second] = evidence[0].messages();
        prop_assert_ne!(first.body(), second.body());
        prop_assert_eq!(first.sender(), second.sender());
        let named = matches!(ceremony.agreed(), Err(CeremonyError::Equivocation(who)) if who == format!("party-{culprit}"));
        prop_assert!(named);
    }

    #[test]
    fn a_changed_byte_never_makes_a_certificate_for_something_else(at in any::<prop::sample::Index>(), letter in any::<u8>()) {
        let text = Certificate::new(gather(&all_messages())).expect("complete").to_text();
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = letter;
        if let Ok(changed) = String::from_utf8(bytes)
            && let Ok(read) = Certificate::parse(&changed)
        {
            prop_assert_eq!(read.to_text(), text);
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,200}") {
        prop_assert!(Message::parse(&text).is_err());
        prop_assert!(Certificate::parse(&text).is_err());
    }
}

#[test]
fn conflicting_joins_lead_to_different_words_and_no_certificate() {
    let id = opened().id();
    let with = |port| {
        let mut ceremony = opened();
        for index in 0..4 {
            ceremony.add(join_at(id, index, 7000)).expect("added");
        }
        ceremony.add(join_at(id, 4, port)).expect("added");
        ceremony
    };
    let (mut left, right) = (with(7000), with(7001));
    let (ours, theirs) = (left.chain().expect("a"), right.chain().expect("b"));
    assert_ne!(ours.words(), theirs.words());
    let approval = Ceremony::approval_of(&theirs);
    left.add(sign(id, 1, Body::Approval(approval)))
        .expect("added");
    assert!(matches!(
        left.agreed(),
        Err(CeremonyError::Disagrees { member, .. }) if member == "party-1"
    ));
}

#[test]
fn old_proofs_do_not_carry_over_when_a_party_drops_out() {
    let old = opened().id();
    let mut again = Ceremony::new(propose(proposal(2, &[0, 1, 2, 3]))).expect("a ceremony");
    let id = again.id();
    assert!(matches!(
        again.add(join_at(old, 1, 7000)),
        Err(CeremonyError::OtherCeremony { .. })
    ));
    // A join signed for this ceremony, but with the proofs of the old one.
    let Body::Join(join) = join_at(old, 1, 7000).body().clone() else {
        panic!("a join");
    };
    assert!(matches!(
        again.add(sign(id, 1, Body::Join(join))),
        Err(CeremonyError::Unproven { member, .. }) if member == "party-1"
    ));
    assert!(matches!(
        again.add(join_at(id, 4, 7000)),
        Err(CeremonyError::Stranger { .. })
    ));
    for index in 0..4 {
        assert_eq!(
            again.add(join_at(id, index, 7000)).expect("added"),
            Added::New
        );
    }
    assert!(again.chain().is_ok());
}

#[test]
fn one_key_for_two_parties_is_refused() {
    let mut ceremony = opened();
    let id = ceremony.id();
    for index in 0..4 {
        ceremony.add(join_at(id, index, 7000)).expect("added");
    }
    let copied = join_with(id, 4, 7000, &block_key(2));
    ceremony.add(copied).expect("the proof is valid");
    assert!(matches!(
        ceremony.chain(),
        Err(CeremonyError::Chain(ChainError::Same { first, second }))
            if first == "party-2" && second == "party-4"
    ));
}

#[test]
fn a_message_altered_in_transit_is_refused() {
    let text = join_at(opened().id(), 1, 7000).to_text();
    let changed = text.replace(".example:7000", ".example:7009");
    assert_ne!(text, changed);
    assert!(matches!(
        Message::parse(&changed),
        Err(MessageError::Signature { kind: "join", .. })
    ));
}

#[test]
fn proposals_that_cannot_result_in_a_chain_are_refused() {
    let refused = |change: fn(&mut Proposal)| {
        let mut proposal = proposal(1, &[0, 1, 2, 3, 4]);
        change(&mut proposal);
        Ceremony::new(propose(proposal))
            .expect_err("refused")
            .to_string()
    };
    for (change, reason) in [
        (
            (|p| p.threshold = 2) as fn(&mut Proposal),
            "2 of 5 is not a majority",
        ),
        (|p| p.interval = 999, "interval of 999 ms"),
        (|p| p.interval = 86_400_001, "use 1000 to 86400000 ms"),
        (|p| p.interval = 0, "interval of 0 ms"),
        (
            |p| p.configuration += "rpcpassword=x\n",
            "the chain's settings only",
        ),
        (
            |p| p.configuration += "signblockscript=51\n",
            "follows from the parties' keys",
        ),
        (|p| p.keys = vec![KeyUse::Peg], "starting with `block`"),
        (
            |p| p.members[1].name = "PARTY-0".to_owned(),
            "same name, identity or key",
        ),
        (|p| p.members[1].name = "../x".to_owned(), "invalid name"),
    ] {
        let error = refused(change);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_message_that_is_too_long_for_others_is_refused() {
    let mut long = proposal(1, &[0, 1, 2]);
    long.node = "ocean".to_owned();
    long.configuration = "chain=fedchain\n".to_owned();
    // Each character takes six bytes in JSON.
    long.terms = Some("\u{1}".repeat(200_000));
    let id = federation_ceremony::ceremony_id(&long).expect("an id");
    let keys = crate::common::identity(0);
    let sender = keys.x_only_public_key().0;
    let body = Body::Proposal(long);
    let digest = federation_ceremony::message_digest(id, &sender, &body).expect("a body");
    let signed = secp256k1::Message::from_digest(digest.to_bytes());
    let signature = secp256k1::SECP256K1.sign_schnorr_no_aux_rand(&signed, &keys);
    assert!(matches!(
        Message::new(id, sender, body, signature),
        Err(MessageError::TooLong(length)) if length > 1_200_000
    ));
}
