//! Bundles of a ceremony with three parties.

use federation_ceremony::{
    Body, Ceremony, Certificate, Digest, Join, KeyUse, Member, Message, Proposal, ProvenKey,
    bundle::{Bundle, BundleError, Suspicion, Transport},
    ceremony_id, message_digest, proof_digest,
};
use federation_genesis::{Genesis, NodeKind, Settings, Terms};
use secp256k1::{Keypair, Message as Signed, SECP256K1, SecretKey};

const N: u8 = 3;
const CONF: &str = "chain=fedchain\n";
const NO_TERMS: &str = "chain=fedchain\nembedcontract=0\n";
const BLOCK: &[KeyUse] = &[KeyUse::Block];

fn identity(index: u8) -> Keypair {
    Keypair::from_seckey_slice(SECP256K1, &[index + 1; 32]).expect("a key")
}

fn secret(index: u8, usage: KeyUse) -> SecretKey {
    let byte = match usage {
        KeyUse::Block => 101,
        KeyUse::Peg => 51,
        _ => 201,
    };
    SecretKey::from_slice(&[index + byte; 32]).expect("a key")
}

/// A signed message; each salt gives a different signature.
fn sign(id: Digest, index: u8, body: Body, salt: u8) -> Message {
    let keys = identity(index);
    let sender = keys.x_only_public_key().0;
    let digest = message_digest(id, &sender, &body).expect("a body");
    let signed = Signed::from_digest(digest.to_bytes());
    let signature = SECP256K1.sign_schnorr_with_aux_rand(&signed, &keys, &[salt; 32]);
    Message::new(id, sender, body, signature).expect("a valid signature")
}

fn join(id: Digest, index: u8, keys: &[KeyUse]) -> Body {
    let owner = identity(index).x_only_public_key().0;
    let keys = keys.iter().map(|usage| {
        let secret = secret(index, *usage);
        let key = secret.public_key(SECP256K1);
        let digest = proof_digest(id, &owner, *usage, &key);
        let proof = SECP256K1.sign_ecdsa(&Signed::from_digest(digest.to_bytes()), &secret);
        ProvenKey {
            usage: *usage,
            key,
            proof,
        }
    });
    Body::Join(Join {
        endpoint: format!("party-{index}.example:7000"),
        node: format!(
            "party-{index}.example:{}",
            7041 - 40 * u16::from(index == 2)
        ),
        keys: keys.collect(),
    })
}

fn certificate(node: NodeKind, conf: &str, terms: Option<&str>, keys: &[KeyUse]) -> Certificate {
    salted(node, conf, terms, keys, 0)
}

fn salted(
    node: NodeKind,
    conf: &str,
    terms: Option<&str>,
    keys: &[KeyUse],
    salt: u8,
) -> Certificate {
    let proposal = Proposal {
        node: node.as_str().to_owned(),
        configuration: conf.to_owned(),
        terms: terms.map(str::to_owned),
        threshold: 2,
        interval: 60_000,
        keys: keys.to_vec(),
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
    let opening = sign(id, 0, Body::Proposal(proposal), 0);
    let mut ceremony = Ceremony::new(opening).expect("a ceremony");
    for index in 0..N {
        let message = sign(id, index, join(id, index, keys), 0);
        ceremony.add(message).expect("added");
    }
    let approval = Ceremony::approval_of(&ceremony.chain().expect("a chain"));
    for index in 0..N {
        let body = Body::Approval(approval.clone());
        ceremony.add(sign(id, index, body, salt)).expect("added");
    }
    Certificate::new(ceremony).expect("complete")
}

fn elements() -> Certificate {
    certificate(NodeKind::Elements, CONF, None, BLOCK)
}

fn bundle(certificate: &Certificate, transport: &Transport) -> Bundle {
    Bundle::new(certificate, "party-1", transport).expect("a bundle")
}

fn file<'b>(bundle: &'b Bundle, name: &str) -> &'b str {
    let mut files = bundle.files();
    files.find(|(found, _)| *found == name).expect(name).1
}

#[test]
fn the_zip_is_the_same_on_every_machine() {
    let zip = bundle(&elements(), &Transport::Zmq)
        .to_zip()
        .expect("a zip");
    // Another machine has only the text of the certificate.
    let read = Certificate::parse(&elements().to_text()).expect("verifies");
    assert_eq!(bundle(&read, &Transport::Zmq).to_zip().expect("a zip"), zip);
    // The time is fixed: the earliest of the format.
    assert_eq!(&zip[10..14], &[0, 0, 0x21, 0]);
    assert_eq!(zip.first_chunk(), Some(b"PK\x03\x04"));
}

#[test]
fn a_second_signature_changes_only_the_certificate() {
    let one = bundle(&elements(), &Transport::Zmq);
    let other = bundle(
        &salted(NodeKind::Elements, CONF, None, BLOCK, 1),
        &Transport::Zmq,
    );
    assert_eq!(one.id(), other.id());
    for ((name, text), (_, other)) in one.files().zip(other.files()) {
        assert_eq!(text == other, name != "certificate.json", "{name}");
    }
    let third = Bundle::new(&elements(), "party-2", &Transport::Zmq).expect("a bundle");
    assert_ne!(one.id(), third.id());
}

#[test]
fn the_nodes_configuration_makes_the_certified_chain() {
    let terms = "These are the terms.\nAll of them.";
    let (elements, ocean) = (NodeKind::Elements, NodeKind::Ocean);
    for certificate in [
        certificate(elements, CONF, None, BLOCK),
        certificate(elements, CONF, None, &[KeyUse::Block, KeyUse::Peg]),
        certificate(ocean, NO_TERMS, None, &[KeyUse::Block, KeyUse::Reissuance]),
        certificate(ocean, CONF, Some(terms), BLOCK),
    ] {
        let kind = certificate.chain().settings().node();
        let conf = format!("node/{}.conf", kind.as_str());
        let bundle = bundle(&certificate, &Transport::Zmq);
        let text = file(&bundle, &conf);
        let settings = Settings::parse(kind, text).expect("the node reads it");
        let terms = certificate.terms().and_then(|_| {
            Terms::from_file(
                file(&bundle, "node/terms-and-conditions/fedchain/old1.txt").as_bytes(),
            )
        });
        let genesis = Genesis::compute(&settings, terms.as_ref()).expect("a genesis");
        assert_eq!(genesis.hash(), certificate.genesis_hash());
        assert!(text.contains("\naddnode=party-0.example:7041\naddnode=party-2.example:7001\n"));
        assert!(text.contains("\nport=7041\nrpcport=7042\nrpcbind=127.0.0.1\n"));
    }
}

/// Docker Compose restarts every container that exits, systemd every service it is not told to leave.
#[test]
fn an_operator_that_needs_an_administrator_is_not_restarted() {
    let bundle = bundle(&elements(), &Transport::Zmq);
    let unit = file(&bundle, "systemd/federation.service");
    assert!(unit.contains("\nRestart=on-failure\n"), "{unit}");
    assert!(unit.contains("\nRestartPreventExitStatus=78\n"), "{unit}");
    let compose = file(&bundle, "docker-compose.yml");
    // The age of the status is checked, not the lock, so that a daemon that hangs is unhealthy.
    assert!(
        compose.contains("\"federation\", \"status\", \"--check\""),
        "{compose}"
    );
    assert!(
        compose.contains("\n      FEDERATION_ON_HALT: \"stay\"\n"),
        "{compose}"
    );
    assert!(file(&bundle, "README.md").contains("federation guard resume"));
}

#[test]
fn with_kafka_every_operator_has_a_broker_or_none_has() {
    let certificate = elements();
    let own = bundle(&certificate, &Transport::KafkaPerOperator);
    let compose = file(&own, "docker-compose.yml");
    assert!(compose.contains("KAFKA_NODE_ID: \"2\""));
    assert!(
        compose
            .contains("\"1@party-0.example:7001,2@party-1.example:7001,3@party-2.example:7002\"")
    );
    assert!(file(&own, "operator.toml").contains("brokers = [\"party-1.example:7000\", "));
    // Each port is published once.
    let mut ports: Vec<_> = compose
        .lines()
        .filter(|line| line.contains("\" # "))
        .collect();
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!((count, ports.len()), (3, 3), "{ports:?}");
    let others = bundle(
        &certificate,
        &Transport::Kafka(vec!["kafka.example:9092".to_owned()]),
    );
    assert!(!file(&others, "docker-compose.yml").contains("kafka"));
    assert!(
        file(&others, "operator.toml")
            .contains("brokers = [\"kafka.example:9092\"]\nreplication = 1")
    );
    for broker in ["kafka", "kafka:0", "a\"b:1", ":9092"] {
        let transport = Transport::Kafka(vec![broker.to_owned()]);
        assert_eq!(
            Bundle::new(&certificate, "party-1", &transport),
            Err(BundleError::Broker(broker.to_owned()))
        );
    }
}

#[test]
fn secrets_in_texts_by_the_parties_are_found() {
    let terms = "Terms.\n\nrpcpassword=hunter2\n";
    let ocean = certificate(NodeKind::Ocean, CONF, Some(terms), BLOCK);
    let Err(BundleError::Secret(finding)) = Bundle::new(&ocean, "party-0", &Transport::Zmq) else {
        panic!("the secret was not found");
    };
    assert_eq!(finding.suspicion(), Suspicion::Password);
    // It is also in the certificate, which comes first.
    assert_eq!(finding.file(), "certificate.json");
    let own = format!("Our key is {}.\n", "66".repeat(32));
    let ocean = certificate(NodeKind::Ocean, CONF, Some(&own), BLOCK);
    let Err(BundleError::Secret(finding)) = Bundle::new(&ocean, "party-0", &Transport::Zmq) else {
        panic!("the secret was not found");
    };
    assert_eq!(finding.suspicion(), Suspicion::MemberKey);
}

#[test]
fn unknown_operators_and_unusable_chain_names_are_refused() {
    let error = Bundle::new(&elements(), "mallory", &Transport::Zmq);
    assert!(
        matches!(error, Err(BundleError::NoOperator { .. })),
        "{error:?}"
    );
    let odd = certificate(NodeKind::Elements, "chain=$(x)\n", None, BLOCK);
    let error = Bundle::new(&odd, "party-0", &Transport::Zmq);
    assert_eq!(error, Err(BundleError::ChainName("$(x)".to_owned())));
}
