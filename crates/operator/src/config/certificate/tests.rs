//! The files of a bundle load, and every difference from the certificate is reported.

use std::fs;

use federation_ceremony::{
    Body, Ceremony, Digest, Join, KeyUse, Member, Message, Proposal, ProvenKey,
    bundle::{Bundle, Transport},
    ceremony_id, message_digest, proof_digest,
};
use secp256k1::{Keypair, Message as Signed, SECP256K1, SecretKey};
use tempfile::TempDir;

use super::*;
use crate::config::{Config, ConfigReport, Overrides};

const N: u8 = 3;

fn identity(index: u8) -> Keypair {
    Keypair::from_seckey_slice(SECP256K1, &[index + 1; 32]).expect("a key")
}

fn signed_message(id: Digest, index: u8, body: Body) -> Message {
    let keys = identity(index);
    let sender = keys.x_only_public_key().0;
    let digest = message_digest(id, &sender, &body).expect("a body");
    let signed = Signed::from_digest(digest.to_bytes());
    let signature = SECP256K1.sign_schnorr_no_aux_rand(&signed, &keys);
    Message::new(id, sender, body, signature).expect("a valid signature")
}

fn join(id: Digest, index: u8) -> Body {
    let secret = SecretKey::from_slice(&[index + 101; 32]).expect("a key");
    let key = secret.public_key(SECP256K1);
    let owner = identity(index).x_only_public_key().0;
    let digest = proof_digest(id, &owner, KeyUse::Block, &key);
    let proof = SECP256K1.sign_ecdsa(&Signed::from_digest(digest.to_bytes()), &secret);
    Body::Join(Join {
        endpoint: format!("party-{index}.example:7000"),
        node: format!("party-{index}.example:7041"),
        keys: vec![ProvenKey {
            usage: KeyUse::Block,
            key,
            proof,
        }],
    })
}

fn certificate(node: &str, configuration: &str) -> Certificate {
    let proposal = Proposal {
        node: node.to_owned(),
        configuration: configuration.to_owned(),
        terms: None,
        threshold: 2,
        interval: 60_000,
        keys: vec![KeyUse::Block],
        sweep: None,
        fees: None,
        members: (0..N)
            .map(|index| Member {
                name: format!("party-{index}"),
                identity: identity(index).x_only_public_key().0,
            })
            .collect(),
        nonce: Digest::from_bytes([9; 32]),
    };
    let id = ceremony_id(&proposal).expect("an id");
    let mut ceremony =
        Ceremony::new(signed_message(id, 0, Body::Proposal(proposal))).expect("a ceremony");
    for index in 0..N {
        let message = signed_message(id, index, join(id, index));
        ceremony.add(message).expect("accepted");
    }
    let approval = Ceremony::approval_of(&ceremony.chain().expect("a chain"));
    for index in 0..N {
        let message = signed_message(id, index, Body::Approval(approval.clone()));
        ceremony.add(message).expect("accepted");
    }
    Certificate::new(ceremony).expect("complete")
}

const ELEMENTS: (&str, &str) = ("elements", "chain=fedchain\n");

/// An unpacked bundle with placeholders for the keys.
fn unpacked((node, conf): (&str, &str)) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = certificate(node, conf);
    let bundle = Bundle::new(&certificate, "party-1", &Transport::Zmq).expect("a bundle");
    for (name, text) in bundle
        .files()
        .chain([("keys/block.key", "key"), ("keys/identity.key", "key")])
    {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }
    folder
}

fn load(folder: &TempDir) -> Result<Config, ConfigReport> {
    Config::load(&folder.path().join("operator.toml"), &Overrides::default())
}

/// Loads with a text replaced in `federation.toml` and returns the problems.
fn problems_with(from: &str, to: &str) -> Vec<String> {
    let folder = unpacked(ELEMENTS);
    let path = folder.path().join("federation.toml");
    let text = fs::read_to_string(&path).expect("readable");
    assert!(text.contains(from), "`{from}` not in {text}");
    fs::write(&path, text.replacen(from, to, 1)).expect("written");
    let report = load(&folder).expect_err("it differs");
    let problems = report.problems.into_iter();
    problems.map(|problem| problem.message).collect()
}

#[test]
fn the_files_of_a_bundle_describe_the_certified_federation() {
    for chain in [
        ELEMENTS,
        ("elements", "chain=fedchain\nevbparams=dynafed:-2:::\n"),
        ("ocean", "chain=fedchain\nembedcontract=0\n"),
    ] {
        let config = load(&unpacked(chain)).expect("valid files");
        let certificate = config.certificate.expect("a certificate");
        assert_eq!(config.federation.id(), certificate.federation().id());
        assert_eq!(config.federation.name(config.me), "party-1");
    }
}

#[test]
fn each_difference_is_reported_with_both_values() {
    for (from, to, expected) in [
        (
            "interval = \"60000ms\"",
            "interval = \"30s\"",
            "`interval` is 30000 ms, the certificate says 60000 ms",
        ),
        (
            "chain = \"fedchain\"",
            "chain = \"other\"",
            "`chain` is other, the certificate says fedchain",
        ),
        (
            "name = \"party-2\"",
            "name = \"mallory\"",
            "`name of operator 3 in the list` is mallory, the certificate says party-2",
        ),
        (
            "certificate = ",
            "protocol = { classic_until = 9 }\ncertificate = ",
            "`protocol.classic_until` is 9, the certificate says none",
        ),
        (
            "max_block_signature_size = 254",
            "max_block_signature_size = 400",
            "`max_block_signature_size` is 400, the certificate says 254",
        ),
    ] {
        assert_eq!(problems_with(from, to), [expected]);
    }
    let genesis = problems_with("genesis = \"", "genesis = \"00");
    assert!(!genesis.is_empty());
    let order = problems_with("key_order = \"lexicographic\"", "key_order = \"as-given\"");
    // Keys may be in lexicographic order by chance; these are not.
    assert!(
        order[0].starts_with("`signblockscript` is 0020"),
        "{order:?}"
    );
    let other = SecretKey::from_slice(&[77; 32]).expect("a key");
    let known = SecretKey::from_slice(&[101; 32]).expect("a key");
    let of = |secret: SecretKey| secret.public_key(SECP256K1).to_string();
    let found = problems_with(&of(known), &of(other));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("`block_key of operator 1 in the list` is "));
}

#[test]
fn endpoints_may_change() {
    let folder = unpacked(ELEMENTS);
    let path = folder.path().join("federation.toml");
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(&path, text.replace("party-2.example:7000", "new.example:9")).expect("written");
    load(&folder).expect("the same federation");
}

#[test]
fn a_certificate_that_is_invalid_missing_or_of_another_chain_is_refused() {
    let folder = unpacked(ELEMENTS);
    let path = folder.path().join("certificate.json");
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(
        &path,
        text.replace("party-2.example:7000", "evil.example:7000"),
    )
    .expect("written");
    let report = load(&folder).expect_err("it was changed");
    assert!(
        report
            .to_string()
            .contains("the signature on the join is not by"),
        "{report}"
    );
    fs::remove_file(&path).expect("removed");
    let report = load(&folder).expect_err("it is missing");
    assert!(
        report
            .to_string()
            .contains("certificate.json: cannot be read"),
        "{report}"
    );
    // The certificate of another chain is valid, but not for this federation.
    let other = certificate("elements", "chain=otherchain\n").to_text();
    fs::write(&path, other).expect("written");
    let report = load(&folder).expect_err("it is for another chain");
    assert!(
        report
            .to_string()
            .contains("`chain` is fedchain, the certificate says otherchain"),
        "{report}"
    );
}

#[test]
fn a_certificate_named_in_the_private_file_is_checked_even_if_the_public_file_names_none() {
    let folder = unpacked(ELEMENTS);
    let path = folder.path().join("federation.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let without = text.replace("certificate = \"certificate.json\"\n", "");
    fs::write(&path, without.replace("60000ms", "30s")).expect("written");
    let report = load(&folder).expect_err("it differs");
    assert!(
        report.to_string().contains("`interval` is 30000 ms"),
        "{report}"
    );
    let private = folder.path().join("operator.toml");
    let text = fs::read_to_string(&private).expect("readable");
    fs::write(
        &private,
        text.replace("certificate = \"certificate.json\"\n", ""),
    )
    .expect("written");
    assert!(
        load(&folder)
            .expect("neither file names a certificate")
            .certificate
            .is_none()
    );
}
