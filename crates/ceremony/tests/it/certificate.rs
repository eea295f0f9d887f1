//! What a certificate contains, and what it is bound to.

use federation_ceremony::{Certificate, CertificateError, Digest, KeyUse, Message, message_digest};
use secp256k1::{Message as Signed, SECP256K1};

use crate::common::{all_messages, gather, identity};

#[test]
fn a_certificate_contains_what_operators_and_nodes_are_started_with() {
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
    for (index, party) in certificate.operators().iter().enumerate() {
        let operator = &federation.members()[index];
        assert_eq!(operator.name, format!("party-{index}"));
        assert_eq!(Some(operator.block_key), party.key(KeyUse::Block));
        assert_eq!(operator.identity, party.member().identity);
        assert_eq!(operator.endpoint, party.join().endpoint);
    }
}

#[test]
fn two_certificates_of_one_agreement_have_one_hash() {
    let messages = all_messages();
    let first = Certificate::new(gather(&messages)).expect("complete");
    // The last approval, signed again with different randomness.
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
        .expect("a valid signature"),
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
