//! Ceremonies of five: any order, losses, duplicates, one who says two things, one who drops out.

use federation_ceremony::{
    Added, Body, Ceremony, CeremonyError, Certificate, CertificateError, ChainError, Digest, Join,
    KeyUse, Member, Message, MessageError, Proposal, ProvenKey, ceremony_id, message_digest,
    proof_digest,
};
use proptest::prelude::*;
use secp256k1::{Keypair, Message as Signed, SECP256K1, SecretKey};

const N: u8 = 5;

fn identity(place: u8) -> Keypair {
    Keypair::from_seckey_slice(SECP256K1, &[place + 1; 32]).expect("a key")
}

fn block_key(place: u8) -> SecretKey {
    SecretKey::from_slice(&[place + 101; 32]).expect("a key")
}

fn peg_key(place: u8) -> SecretKey {
    SecretKey::from_slice(&[place + 51; 32]).expect("a key")
}

fn proposal(nonce: u8, members: &[u8]) -> Proposal {
    Proposal {
        node: "elements".to_owned(),
        configuration: "chain=fedchain\n".to_owned(),
        terms: None,
        threshold: 3,
        interval: 60_000,
        keys: vec![KeyUse::Block, KeyUse::Peg],
        members: members
            .iter()
            .map(|place| Member {
                name: format!("party-{place}"),
                identity: identity(*place).x_only_public_key().0,
            })
            .collect(),
        nonce: Digest::from_bytes([nonce; 32]),
    }
}

fn say(id: Digest, place: u8, body: Body) -> Message {
    let keys = identity(place);
    let sender = keys.x_only_public_key().0;
    let digest = message_digest(id, &sender, &body).expect("a body");
    let signed = Signed::from_digest(digest.to_bytes());
    let signature = SECP256K1.sign_schnorr_no_aux_rand(&signed, &keys);
    Message::new(id, sender, body, signature).expect("true")
}

fn propose(proposal: Proposal) -> Message {
    let id = ceremony_id(&proposal).expect("an id");
    say(id, 0, Body::Proposal(proposal))
}

fn join_at(id: Digest, place: u8, port: u16) -> Message {
    join_with(id, place, port, &block_key(place))
}

fn join_with(id: Digest, place: u8, port: u16, block: &SecretKey) -> Message {
    let owner = identity(place).x_only_public_key().0;
    let proven = |usage, secret: &SecretKey| {
        let key = secret.public_key(SECP256K1);
        let digest = proof_digest(id, &owner, usage, &key);
        let proof = SECP256K1.sign_ecdsa(&Signed::from_digest(digest.to_bytes()), secret);
        ProvenKey { usage, key, proof }
    };
    let join = Join {
        endpoint: format!("party-{place}.example:{port}"),
        node: format!("party-{place}.example:7041"),
        keys: vec![
            proven(KeyUse::Block, block),
            proven(KeyUse::Peg, &peg_key(place)),
        ],
    };
    say(id, place, Body::Join(join))
}

fn opened() -> Ceremony {
    Ceremony::new(propose(proposal(1, &[0, 1, 2, 3, 4]))).expect("a ceremony")
}

/// Everything that an honest ceremony needs beside its proposal.
fn all_messages() -> Vec<Message> {
    let mut ceremony = opened();
    let id = ceremony.id();
    let mut messages: Vec<_> = (0..N).map(|place| join_at(id, place, 7000)).collect();
    for join in &messages {
        ceremony.add(join.clone()).expect("taken");
    }
    let chain = ceremony.chain().expect("a chain");
    let approval = Ceremony::approval_of(&chain);
    messages.extend((0..N).map(|place| say(id, place, Body::Approval(approval.clone()))));
    messages
}

fn gather(messages: &[Message]) -> Ceremony {
    let mut ceremony = opened();
    for message in messages {
        let text = message.to_text();
        let read = Message::parse(&text).expect("a message");
        assert_eq!(read.to_text(), text);
        ceremony.add(read).expect("taken");
    }
    ceremony
}

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
    fn a_lost_message_makes_no_certificate_until_it_comes(order in order(), lost in 0..10_usize) {
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
        ceremony.add(messages[lost].clone()).expect("taken");
        prop_assert!(Certificate::new(ceremony).is_ok());
    }

    #[test]
    fn who_says_two_things_is_named_in_every_order(
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
        let named = matches!(ceremony.agreed(), Err(CeremonyError::TwoThings(who)) if who == format!("party-{culprit}"));
        prop_assert!(named);
    }

    #[test]
    fn a_changed_letter_makes_no_certificate_of_something_else(at in any::<prop::sample::Index>(), letter in any::<u8>()) {
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
fn two_faces_to_two_parties_end_in_different_words_and_no_certificate() {
    let id = opened().id();
    let with = |port| {
        let mut ceremony = opened();
        for place in 0..4 {
            ceremony.add(join_at(id, place, 7000)).expect("taken");
        }
        ceremony.add(join_at(id, 4, port)).expect("taken");
        ceremony
    };
    let (mut left, right) = (with(7000), with(7001));
    let (ours, theirs) = (left.chain().expect("a"), right.chain().expect("b"));
    assert_ne!(ours.words(), theirs.words());
    let approval = Ceremony::approval_of(&theirs);
    left.add(say(id, 1, Body::Approval(approval)))
        .expect("taken");
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
    // Signed anew for this ceremony, but with the proofs of the old one.
    let Body::Join(join) = join_at(old, 1, 7000).body().clone() else {
        panic!("a join");
    };
    assert!(matches!(
        again.add(say(id, 1, Body::Join(join))),
        Err(CeremonyError::Unproven { member, .. }) if member == "party-1"
    ));
    assert!(matches!(
        again.add(join_at(id, 4, 7000)),
        Err(CeremonyError::Stranger { .. })
    ));
    for place in 0..4 {
        assert_eq!(
            again.add(join_at(id, place, 7000)).expect("taken"),
            Added::New
        );
    }
    assert!(again.chain().is_ok());
}

#[test]
fn one_key_for_two_parties_is_refused() {
    let mut ceremony = opened();
    let id = ceremony.id();
    for place in 0..4 {
        ceremony.add(join_at(id, place, 7000)).expect("taken");
    }
    let copied = join_with(id, 4, 7000, &block_key(2));
    ceremony.add(copied).expect("proven: they share the secret");
    assert!(matches!(
        ceremony.chain(),
        Err(CeremonyError::Chain(ChainError::Same { first, second }))
            if first == "party-2" && second == "party-4"
    ));
}

#[test]
fn a_message_changed_on_the_way_is_refused() {
    let text = join_at(opened().id(), 1, 7000).to_text();
    let changed = text.replace(".example:7000", ".example:7009");
    assert_ne!(text, changed);
    assert!(matches!(
        Message::parse(&changed),
        Err(MessageError::Signature { kind: "join", .. })
    ));
}

#[test]
fn proposals_of_which_no_chain_can_come_are_refused() {
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
            "2 of 5 is no majority",
        ),
        (|p| p.interval = 999, "interval of 999 ms"),
        (|p| p.interval = 86_400_001, "use 1000 to 86400000 ms"),
        (|p| p.interval = 0, "interval of 0 ms"),
        (
            |p| p.configuration += "rpcpassword=x\n",
            "more than the chain's settings",
        ),
        (
            |p| p.configuration += "signblockscript=51\n",
            "follows from the parties' keys",
        ),
        (|p| p.keys = vec![KeyUse::Peg], "the first one `block`"),
        (
            |p| p.members[1].name = "PARTY-0".to_owned(),
            "same name, identity or key",
        ),
        (|p| p.members[1].name = "../x".to_owned(), "is no name"),
    ] {
        let error = refused(change);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_certificate_tells_what_operators_and_nodes_are_started_with() {
    let text = Certificate::new(gather(&all_messages()))
        .expect("complete")
        .to_text();
    let certificate = Certificate::parse(&text).expect("verifies");
    assert_eq!(certificate.chain_name(), "fedchain");
    assert_eq!(certificate.dialect().as_str(), "dynafed");
    assert_eq!(certificate.threshold(), 3);
    assert_eq!(certificate.interval().as_millis(), 60_000);
    // 2 + 73 M + 1 + S of 3 of 5.
    assert_eq!(certificate.max_block_signature_size(), 395);
    let settings = certificate.node_settings();
    let line = format!("signblockscript={}", certificate.script().to_hex());
    assert!(settings.lines().any(|other| other == line), "{settings}");
    let federation = certificate.federation();
    assert_eq!(federation.genesis(), certificate.genesis_hash());
    for (place, party) in certificate.operators().iter().enumerate() {
        let operator = &federation.operators()[place];
        assert_eq!(operator.name, format!("party-{place}"));
        assert_eq!(Some(operator.block_key), party.key(KeyUse::Block));
        assert_eq!(operator.identity, party.member().identity);
        assert_eq!(operator.endpoint, party.join().endpoint);
    }
}

#[test]
fn two_certificates_of_one_agreement_have_one_hash() {
    let messages = all_messages();
    let first = Certificate::new(gather(&messages)).expect("complete");
    // The last approval, signed once more with other randomness.
    let mut again = messages;
    let last = again.pop().expect("an approval");
    let digest = message_digest(last.ceremony(), last.sender(), last.body()).expect("a body");
    let signed = Signed::from_digest(digest.to_bytes());
    let signature = SECP256K1.sign_schnorr_with_aux_rand(&signed, &identity(4), &[9; 32]);
    again.push(
        Message::new(
            last.ceremony(),
            *last.sender(),
            last.body().clone(),
            signature,
        )
        .expect("true"),
    );
    let second = Certificate::new(gather(&again)).expect("complete");
    assert_ne!(first.to_text(), second.to_text());
    assert_eq!(first.agreed_hash(), second.agreed_hash());
    assert!(Certificate::verify(&second.to_text(), first.agreed_hash()).is_ok());
    let other = Digest::from_bytes([1; 32]);
    assert!(matches!(
        Certificate::verify(&first.to_text(), other),
        Err(CertificateError::Other { expected, .. }) if expected == other
    ));
}
