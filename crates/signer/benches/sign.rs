//! Benchmark of a guarded signature with key and store in memory.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use federation_chain::{BlockHash, BlockHeight};
use federation_signer::{
    GuardedSigner, IdentitySigner, MemoryGuardStore, Secret, SoftwareIdentity, SoftwareSigner,
};

fn sign(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let signer = SoftwareSigner::new(Secret::generate());
    let signer = GuardedSigner::new(signer, MemoryGuardStore::new()).expect("an empty store");
    let mut height = 0;
    c.bench_function("guarded block signature", |b| {
        b.iter(|| {
            height += 1;
            let hash = BlockHash::from_bytes([1; 32]);
            runtime
                .block_on(signer.sign_block(BlockHeight::new(height), black_box(hash)))
                .expect("a new height")
        });
    });
    let identity = SoftwareIdentity::new(Secret::generate());
    c.bench_function("envelope signature", |b| {
        b.iter(|| runtime.block_on(identity.sign_envelope(black_box([1; 32]))));
    });
}

criterion_group!(benches, sign);
criterion_main!(benches);
