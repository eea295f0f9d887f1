//! Measures opening a keystore, and signing with a key from one.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use federation_keystore::{Passphrase, WorkFactor, create, open, open_as};
use federation_signer::{KeyRole, Secret, Signer, SoftwareSigner};

fn keystore(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("block.key");
    let passphrase = Passphrase::generate();
    let secret = Secret::generate();
    create(
        &path,
        KeyRole::Block,
        &secret,
        &passphrase,
        WorkFactor::default(),
    )
    .expect("a new file");
    let mut group = c.benchmark_group("keystore");
    group.sample_size(10);
    group.bench_function("open", |b| {
        b.iter(|| open(black_box(&path), &passphrase).expect("the right pass phrase"));
    });
    group.finish();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let secret = open_as(&path, KeyRole::Block, &passphrase).expect("the right pass phrase");
    let signer = SoftwareSigner::new(secret);
    let hash = federation_chain::BlockHash::from_bytes([1; 32]);
    c.bench_function("block signature with a key from a keystore", |b| {
        b.iter(|| runtime.block_on(signer.sign_block(black_box(hash))));
    });
}

criterion_group!(benches, keystore);
criterion_main!(benches);
