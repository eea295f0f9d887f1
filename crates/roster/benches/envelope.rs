//! The cost of signing, verifying and moving an envelope.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use federation_chain::BlockHeight;
use federation_roster::{
    Envelope, EnvelopeHead, FederationId, OperatorId, Round, UnsignedEnvelope,
};
use secp256k1::{Keypair, SECP256K1};

fn bench(c: &mut Criterion) {
    let identity = Keypair::from_seckey_slice(SECP256K1, &[3; 32]).expect("a key");
    let key = identity.x_only_public_key().0;
    for (name, size) in [("a vote", 33), ("a 4 MB block", 4_000_000)] {
        let unsigned = UnsignedEnvelope {
            head: EnvelopeHead {
                federation: FederationId::from_bytes([5; 32]),
                sender: OperatorId::new(2),
                kind: 1,
                height: BlockHeight::new(7),
                round: Round::FIRST,
            },
            payload: Bytes::from(vec![7; size]),
        };
        let sign = || SECP256K1.sign_schnorr_no_aux_rand(&unsigned.message(), &identity);
        c.bench_function(&format!("sign {name}"), |b| b.iter(sign));
        let envelope = unsigned.clone().with_signature(sign().serialize());
        c.bench_function(&format!("encode {name}"), |b| {
            b.iter(|| black_box(&envelope).encode())
        });
        let frame = envelope.encode();
        c.bench_function(&format!("decode and verify {name}"), |b| {
            b.iter(|| Envelope::decode(black_box(&frame)).and_then(|e| e.verify(&key)));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
