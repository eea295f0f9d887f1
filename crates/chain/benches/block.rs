//! What decoding, hashing, assembling and checking a block costs.

use std::{collections::BTreeMap, hint::black_box};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use elements::{LockTime, Script, Sequence, Transaction, TxIn, TxOut};
use federation_chain::{
    Block, BlockHash, BlockHeight, Dialect, Header, HeaderFields, Proof, SigningRules,
};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa::Signature};

fn keys(n: u8) -> Vec<SecretKey> {
    (1..=n)
        .map(|i| {
            let mut secret = [0; 32];
            secret[31] = i;
            SecretKey::from_slice(&secret).expect("a small number is a key")
        })
        .collect()
}

fn block(script: &MultisigScript, body: usize) -> Block {
    let transaction = Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            sequence: Sequence::MAX,
            ..TxIn::default()
        }],
        output: vec![TxOut {
            script_pubkey: Script::from(vec![0x6a; 500]),
            ..TxOut::default()
        }],
    };
    let count = body / 600 + 1;
    let fields = HeaderFields {
        version: 1,
        previous: BlockHash::from_bytes([1; 32]),
        merkle_root: [2; 32],
        time: 1_600_000_000,
        height: BlockHeight::new(7),
        proof: Proof::Signed {
            challenge: script.as_bytes().to_vec(),
            solution: vec![],
        },
    };
    Block::from_parts(Header::new(fields), &vec![transaction; count])
}

fn bench(c: &mut Criterion) {
    for (m, n) in [(3, 5), (11, 20)] {
        let secrets = keys(n);
        let publics = secrets
            .iter()
            .map(|key| key.public_key(SECP256K1))
            .collect();
        let script = MultisigScript::new(
            Threshold::new(m).expect("in range"),
            publics,
            KeyOrder::AsGiven,
        )
        .expect("a script");
        let rules = SigningRules::new(Dialect::Elements, script, 5000).expect("enough");
        let block = block(rules.script(), 1000);
        let message = Message::from_digest(block.block_hash().to_bytes());
        let signatures: BTreeMap<usize, Signature> = secrets
            .iter()
            .map(|key| SECP256K1.sign_ecdsa(&message, key))
            .enumerate()
            .collect();
        let complete = rules.assemble(&block, &signatures).expect("complete");
        c.bench_function(&format!("assemble and check {m}-of-{n}"), |b| {
            b.iter(|| rules.assemble(black_box(&block), black_box(&signatures)));
        });
        c.bench_function(&format!("check {m}-of-{n}"), |b| {
            b.iter(|| rules.check_block(black_box(&complete)));
        });
    }
    let script = MultisigScript::new(
        Threshold::new(1).expect("1"),
        vec![keys(1)[0].public_key(SECP256K1)],
        KeyOrder::AsGiven,
    )
    .expect("a script");
    let large: Bytes = block(&script, 4_000_000).as_bytes().clone();
    c.bench_function("decode 4 MB and hash the header", |b| {
        b.iter(|| {
            Block::decode(Dialect::Elements, black_box(large.clone())).map(|b| b.block_hash())
        });
    });
    let decoded = Block::decode(Dialect::Elements, large).expect("a block");
    c.bench_function("check the commitments of 4 MB", |b| {
        b.iter(|| decoded.check_commitments())
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
