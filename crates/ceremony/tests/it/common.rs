//! Five parties, and the messages that they sign.

use federation_ceremony::{
    Body, Ceremony, Destination, Digest, Join, KeyUse, Member, Message, Proposal, ProvenKey,
    ceremony_id, message_digest, proof_digest,
};
use secp256k1::{Keypair, Message as Signed, SECP256K1, SecretKey};

pub(crate) const N: u8 = 5;

pub(crate) fn identity(index: u8) -> Keypair {
    Keypair::from_seckey_slice(SECP256K1, &[index + 1; 32]).expect("a key")
}

pub(crate) fn block_key(index: u8) -> SecretKey {
    SecretKey::from_slice(&[index + 101; 32]).expect("a key")
}

pub(crate) fn peg_key(index: u8) -> SecretKey {
    SecretKey::from_slice(&[index + 51; 32]).expect("a key")
}

pub(crate) fn proposal(nonce: u8, members: &[u8]) -> Proposal {
    Proposal {
        node: "elements".to_owned(),
        configuration: "chain=fedchain\n".to_owned(),
        terms: None,
        threshold: 3,
        interval: 60_000,
        keys: vec![KeyUse::Block, KeyUse::Peg],
        sweep: None,
        fees: Some(Destination::Keys(KeyUse::Block)),
        members: members
            .iter()
            .map(|index| Member {
                name: format!("party-{index}"),
                identity: identity(*index).x_only_public_key().0,
            })
            .collect(),
        nonce: Digest::from_bytes([nonce; 32]),
    }
}

pub(crate) fn sign(id: Digest, index: u8, body: Body) -> Message {
    let keys = identity(index);
    let sender = keys.x_only_public_key().0;
    let digest = message_digest(id, &sender, &body).expect("a body");
    let signed = Signed::from_digest(digest.to_bytes());
    let signature = SECP256K1.sign_schnorr_no_aux_rand(&signed, &keys);
    Message::new(id, sender, body, signature).expect("a valid signature")
}

pub(crate) fn propose(proposal: Proposal) -> Message {
    let id = ceremony_id(&proposal).expect("an id");
    sign(id, 0, Body::Proposal(proposal))
}

pub(crate) fn join_at(id: Digest, index: u8, port: u16) -> Message {
    join_with(id, index, port, &block_key(index))
}

pub(crate) fn join_with(id: Digest, index: u8, port: u16, block: &SecretKey) -> Message {
    let keys = [
        prove(id, index, KeyUse::Block, block),
        prove(id, index, KeyUse::Peg, &peg_key(index)),
    ];
    join_proven(id, index, port, keys.to_vec())
}

/// A join with a key for each use.
pub(crate) fn join_keys(id: Digest, index: u8, port: u16, uses: &[KeyUse]) -> Message {
    let keys = uses.iter().map(|usage| {
        let secret = match usage {
            KeyUse::Block => block_key(index),
            KeyUse::Peg => peg_key(index),
            _ => SecretKey::from_slice(&[index + 151; 32]).expect("a key"),
        };
        prove(id, index, *usage, &secret)
    });
    join_proven(id, index, port, keys.collect())
}

pub(crate) fn join_proven(id: Digest, index: u8, port: u16, keys: Vec<ProvenKey>) -> Message {
    let join = Join {
        endpoint: format!("party-{index}.example:{port}"),
        node: format!("party-{index}.example:7041"),
        keys,
    };
    sign(id, index, Body::Join(join))
}

pub(crate) fn prove(id: Digest, index: u8, usage: KeyUse, secret: &SecretKey) -> ProvenKey {
    let owner = identity(index).x_only_public_key().0;
    let key = secret.public_key(SECP256K1);
    let digest = proof_digest(id, &owner, usage, &key);
    let proof = SECP256K1.sign_ecdsa(&Signed::from_digest(digest.to_bytes()), secret);
    ProvenKey { usage, key, proof }
}

pub(crate) fn opened() -> Ceremony {
    Ceremony::new(propose(proposal(1, &[0, 1, 2, 3, 4]))).expect("a ceremony")
}

/// All messages of an honest ceremony except its proposal.
pub(crate) fn all_messages() -> Vec<Message> {
    let mut ceremony = opened();
    let id = ceremony.id();
    let mut messages: Vec<_> = (0..N).map(|index| join_at(id, index, 7000)).collect();
    for join in &messages {
        ceremony.add(join.clone()).expect("added");
    }
    let chain = ceremony.chain().expect("a chain");
    let approval = Ceremony::approval_of(&chain);
    messages.extend((0..N).map(|index| sign(id, index, Body::Approval(approval.clone()))));
    messages
}

pub(crate) fn gather(messages: &[Message]) -> Ceremony {
    let mut ceremony = opened();
    for message in messages {
        let text = message.to_text();
        let read = Message::parse(&text).expect("a message");
        assert_eq!(read.to_text(), text);
        ceremony.add(read).expect("added");
    }
    ceremony
}
