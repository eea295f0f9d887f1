//! Benchmarks of the overhead of a signature over the module's own time: the module alone, one key,
//! sixteen tasks at once. Measured on SoftHSM, whose signatures are faster than those of any
//! hardware.
//!
//! A comparison in pairs comes first: each signature by the module alone is next to one by the
//! signer, so that other load on the machine affects both equally.

#![expect(clippy::print_stdout, reason = "the comparison is printed")]

use std::{hint::black_box, process::Command, time::Instant};

use criterion::{Criterion, Throughput, criterion_group};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::Mechanism,
    object::{Attribute, ObjectClass},
};
use federation_chain::{BlockHash, BlockHeight};
use federation_signer::{
    GuardedSigner, MemoryGuardStore, Secret, Signer, SoftwareSigner, TokenSelector,
};
use federation_signer_hsm::{
    HsmKey, HsmSigner,
    admin::generate_key,
    testing::{USER_PIN, conf_of, config, make_token, pin, softhsm, token_folder},
};
use secp256k1::{Message, SECP256K1};

/// The number of concurrent signatures in the measurements of throughput.
const AT_ONCE: u64 = 16;

const DIGEST: [u8; 32] = [1; 32];

fn sign(c: &mut Criterion) {
    let module = softhsm();
    make_token(&module, "operator");
    let token = TokenSelector::Label("operator".to_owned());
    generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let open = |sessions| {
        let config = config(&module, "operator", "block").with_sessions(sessions);
        HsmSigner::new(runtime.block_on(HsmKey::open(config)).expect("the key"))
    };
    let one = open(1);
    let hash = BlockHash::from_bytes(DIGEST);

    // The key above has initialised the module and logged in the process.
    let pkcs11 = Pkcs11::new(&module).expect("the module");
    let _ = pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = pkcs11.get_slots_with_initialized_token().expect("slots")[0];
    let session = pkcs11.open_ro_session(slot).expect("a session");
    let private = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    let key = session.find_objects(&private).expect("the key")[0];
    let mut alone = || {
        session
            .sign(&Mechanism::Ecdsa, key, black_box(&DIGEST))
            .expect("a signature");
    };
    compare("one after the other", 1, &mut alone, &mut || {
        runtime
            .block_on(one.sign_block(black_box(hash)))
            .expect("a signature");
    });
    // Verification is part of every signature that is returned: the rest is queue, threads and
    // timeout.
    let public_key = one.public_key();
    let message = Message::from_digest(DIGEST);
    let signature = runtime.block_on(one.sign_block(hash)).expect("a signature");
    let mut checked = || {
        session
            .sign(&Mechanism::Ecdsa, key, black_box(&DIGEST))
            .expect("a signature");
        SECP256K1
            .verify_ecdsa(black_box(&message), &signature, &public_key)
            .expect("a valid signature");
    };
    compare(
        "next to module and verification",
        1,
        &mut checked,
        &mut || {
            runtime
                .block_on(one.sign_block(black_box(hash)))
                .expect("a signature");
        },
    );
    compare("sixteen at once", AT_ONCE, &mut alone, &mut || {
        let all = (0..AT_ONCE).map(|_| one.sign_block(black_box(hash)));
        for signature in runtime.block_on(futures::future::join_all(all)) {
            signature.expect("a signature");
        }
    });

    let mut group = c.benchmark_group("latency");
    group.bench_function("module alone", |b| {
        b.iter(|| session.sign(&Mechanism::Ecdsa, key, black_box(&DIGEST)));
    });
    group.bench_function("HSM signer", |b| {
        b.iter(|| {
            runtime
                .block_on(one.sign_block(black_box(hash)))
                .expect("a signature")
        });
    });
    let software = SoftwareSigner::new(Secret::generate());
    group.bench_function("software signer", |b| {
        b.iter(|| runtime.block_on(software.sign_block(black_box(hash))));
    });
    let guarded = GuardedSigner::new(open(1), MemoryGuardStore::new()).expect("an empty store");
    let mut height = 0;
    group.bench_function("guarded HSM signer", |b| {
        b.iter(|| {
            height += 1;
            let height = BlockHeight::new(height);
            runtime
                .block_on(guarded.sign_block(height, black_box(hash)))
                .expect("a new height")
        });
    });
    group.finish();

    let mut group = c.benchmark_group("throughput of sixteen at once");
    group.throughput(Throughput::Elements(AT_ONCE));
    group.sample_size(20);
    for sessions in [1, 2, 4] {
        let signer = open(sessions);
        group.bench_function(format!("HSM signer, {sessions} sessions"), |b| {
            b.iter(|| {
                let all = (0..AT_ONCE).map(|_| signer.sign_block(black_box(hash)));
                runtime.block_on(futures::future::join_all(all))
            });
        });
    }
    group.finish();
}

/// Prints the medians of `count` signatures by the module alone, one after the other, and of as
/// many by a signer with one session, in microseconds per signature.
fn compare(name: &str, count: u64, alone: &mut dyn FnMut(), signer: &mut dyn FnMut()) {
    const SIGNATURES: u64 = 6000;
    let timed = |call: &mut dyn FnMut()| {
        let started = Instant::now();
        call();
        started.elapsed().as_secs_f64() * 1e6 / count as f64
    };
    let mut all_alone = || (0..count).for_each(|_| alone());
    let mut pairs: Vec<_> = (0..SIGNATURES / count)
        .map(|_| (timed(&mut all_alone), timed(signer)))
        .collect();
    // Discard the warm-up.
    pairs.drain(..pairs.len() / 10);
    let median = |value: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (module, whole) = (median(|pair| pair.0), median(|pair| pair.1));
    println!(
        "{name}: without {module:.1} us, HSM signer {whole:.1} us, {:+.1} %",
        (whole / module - 1.0) * 100.0
    );
}

criterion_group!(benches, sign);

fn main() {
    if std::env::var_os("SOFTHSM2_CONF").is_none() {
        // SoftHSM reads the variable once per process.
        let folder = token_folder();
        let status = Command::new(std::env::current_exe().expect("this program"))
            .args(std::env::args_os().skip(1))
            .env("SOFTHSM2_CONF", conf_of(folder.path()))
            .status()
            .expect("this program runs again");
        std::process::exit(status.code().unwrap_or(1));
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
