//! Benchmarks of decoding, hashing, assembling and checking a block.

use std::{collections::BTreeMap, hint::black_box};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use elements::{LockTime, Script, Sequence, Transaction, TxIn, TxOut, dynafed::FullParams};
use federation_chain::{
    Block, BlockHash, BlockHeight, Dialect, Header, HeaderFields, Params, Proof, SigningRules,
};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa::Signature};

/// Enough for the signatures of every federation, in bytes.
const LIMIT: u32 = 5000;

fn keys(n: u8) -> Vec<SecretKey> {
    (1..=n)
        .map(|i| {
            let mut secret = [0; 32];
            secret[31] = i;
            SecretKey::from_slice(&secret).expect("a small number is a key")
        })
        .collect()
}

fn rules(dialect: Dialect, m: u8, secrets: &[SecretKey]) -> SigningRules {
    let keys = secrets.iter().map(|key| key.public_key(SECP256K1));
    let threshold = Threshold::new(m).expect("in range");
    let script = MultisigScript::new(threshold, keys.collect(), KeyOrder::AsGiven);
    SigningRules::new(dialect, script.expect("a script"), LIMIT).expect("enough")
}

fn header(rules: &SigningRules) -> Header {
    let challenge = rules.signing_script().to_vec();
    let proof = match rules.dialect() {
        Dialect::Ocean => Proof::Ocean {
            contract: [3; 32],
            attestation: [4; 32],
            mapping: [5; 32],
            challenge,
            solution: vec![],
        },
        Dialect::Elements => Proof::Signed {
            challenge,
            solution: vec![],
        },
        Dialect::Dynafed => {
            let script = Script::from(challenge);
            let full = FullParams::new(script, LIMIT, bitcoin::ScriptBuf::new(), vec![], vec![]);
            Proof::Dynafed {
                current: full.into_compact(),
                proposed: Params::Null,
                witness: vec![],
            }
        }
    };
    Header::new(HeaderFields {
        version: 1,
        previous: BlockHash::from_bytes([1; 32]),
        merkle_root: [2; 32],
        time: 1_600_000_000,
        height: BlockHeight::new(7),
        proof,
    })
}

/// A block of roughly `size` bytes.
fn block(header: Header, size: usize) -> Block {
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
    Block::from_parts(header, &vec![transaction; size / 560 + 1])
}

fn signatures(c: &mut Criterion) {
    for (m, n) in [(3, 5), (11, 20)] {
        for dialect in Dialect::ALL {
            let secrets = keys(n);
            let rules = rules(dialect, m, &secrets);
            let block = block(header(&rules), 1000);
            let message = Message::from_digest(block.block_hash().to_bytes());
            let signatures: BTreeMap<usize, Signature> = secrets
                .iter()
                .map(|key| SECP256K1.sign_ecdsa(&message, key))
                .enumerate()
                .collect();
            let complete = rules.assemble(&block, &signatures).expect("complete");
            let name = format!("{dialect} {m}-of-{n}");
            c.bench_function(&format!("assemble and check, {name}"), |b| {
                b.iter(|| rules.assemble(black_box(&block), black_box(&signatures)));
            });
            c.bench_function(&format!("check, {name}"), |b| {
                b.iter(|| rules.check_block(black_box(&complete)));
            });
            let bytes = complete.header().encode();
            c.bench_function(&format!("decode and hash a header, {name}"), |b| {
                b.iter(|| Header::decode(dialect, black_box(&bytes)).map(|h| h.block_hash()));
            });
        }
    }
}

fn large_blocks(c: &mut Criterion) {
    let rules = rules(Dialect::Elements, 3, &keys(5));
    let large: Bytes = block(header(&rules), 4_000_000).as_bytes().clone();
    c.bench_function("decode 4 MB and hash the header", |b| {
        b.iter(|| Block::decode(Dialect::Elements, black_box(large.clone())));
    });
    let decoded = Block::decode(Dialect::Elements, large).expect("a block");
    c.bench_function("weigh 4 MB", |b| b.iter(|| decoded.weight()));
    c.bench_function("check the commitments of 4 MB", |b| {
        b.iter(|| decoded.check_commitments());
    });
}

criterion_group!(benches, signatures, large_blocks);
criterion_main!(benches);
