//! Tests of the guard: what it admits, what it refuses, and how it behaves when others fail.

use std::{
    collections::BTreeMap,
    io,
    sync::atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use proptest::prelude::*;

use super::*;
use crate::{
    AUDIT_HEIGHTS, MAX_OPEN_HEIGHTS, MemoryGuardStore, Secret, SignerError, SoftwareSigner,
};

const fn hash(n: u8) -> BlockHash {
    BlockHash::from_bytes([n; 32])
}

const fn at(height: u32) -> BlockHeight {
    BlockHeight::new(height)
}

fn guarded(store: &MemoryGuardStore) -> GuardedSigner<SoftwareSigner> {
    let signer = SoftwareSigner::new(Secret::from_bytes(&[7; 32]).expect("a key"));
    GuardedSigner::new(signer, store.clone()).expect("a store in memory")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

#[tokio::test]
async fn signs_one_block_per_height_repeatedly() {
    let signer = guarded(&MemoryGuardStore::new());
    let first = signer.sign_block(at(5), hash(1)).await.expect("the first");
    let again = signer.sign_block(at(5), hash(1)).await.expect("the same");
    assert_eq!(first, again);
    signer.sign_block(at(6), hash(2)).await.expect("the next");
    signer.sign_block(at(4), hash(3)).await.expect("one before");
    let refused = signer.sign_block(at(5), hash(2)).await;
    assert!(
        matches!(
            refused,
            Err(GuardError::Conflict { height, signed, asked })
                if (height, signed, asked) == (at(5), hash(1), hash(2))
        ),
        "{refused:?}"
    );
}

/// A key holder that needs the block, and signs a hash made of its first byte.
struct Seeing(SoftwareSigner);

#[async_trait]
impl Signer for Seeing {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    async fn sign_block(&self, _: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        Err(SignerError::Refused {
            reason: "no block".to_owned(),
        })
    }

    async fn sign_full_block(
        &self,
        _: BlockHash,
        block: &[u8],
    ) -> Result<ecdsa::Signature, SignerError> {
        self.0.sign_block(hash(block[0])).await
    }
}

#[tokio::test]
async fn a_key_holder_that_needs_the_block_gets_it_behind_the_same_guard() {
    let signer = SoftwareSigner::new(Secret::from_bytes(&[7; 32]).expect("a key"));
    let boxed: Box<dyn Signer> = Box::new(Seeing(signer));
    let signer = GuardedSigner::new(boxed, MemoryGuardStore::new()).expect("new");
    assert!(matches!(
        signer.sign_block(at(5), hash(1)).await,
        Err(GuardError::Signer(SignerError::Refused { .. }))
    ));
    let seen = signer.sign_full_block(at(5), hash(1), &[1]).await;
    seen.expect("it gets the block");
    assert!(matches!(
        signer.sign_full_block(at(5), hash(2), &[2]).await,
        Err(GuardError::Conflict { .. })
    ));
    assert!(matches!(
        signer.sign_full_block(at(6), hash(2), &[3]).await,
        Err(GuardError::BadSignature { .. })
    ));
    // Most keys need only the hash, and can be called either way.
    let plain = guarded(&MemoryGuardStore::new());
    let by_hash = plain.sign_block(at(7), hash(4)).await.expect("a signature");
    let by_block = plain.sign_full_block(at(7), hash(4), b"block").await;
    assert_eq!(by_block.expect("a signature"), by_hash);
}

#[tokio::test]
async fn signs_nothing_at_or_below_the_highest_final_height() {
    let signer = guarded(&MemoryGuardStore::new());
    signer.sign_block(at(5), hash(1)).await.expect("open");
    signer.raise_final(at(5)).await.expect("a working store");
    signer.raise_final(at(3)).await.expect("a working store");
    for height in [0, 4, 5] {
        let refused = signer.sign_block(at(height), hash(1)).await;
        assert!(
            matches!(refused, Err(GuardError::BelowFinal { highest_final, .. }) if highest_final == at(5)),
            "{refused:?}"
        );
    }
    signer.sign_block(at(6), hash(1)).await.expect("open");
}

#[tokio::test]
async fn remembers_across_a_restart() {
    let store = MemoryGuardStore::new();
    let signer = guarded(&store);
    signer.sign_block(at(5), hash(1)).await.expect("open");
    signer.raise_final(at(4)).await.expect("a working store");
    drop(signer);
    let signer = guarded(&store);
    let refused = signer.sign_block(at(5), hash(2)).await;
    assert!(matches!(refused, Err(GuardError::Conflict { .. })));
    let refused = signer.sign_block(at(4), hash(2)).await;
    assert!(matches!(refused, Err(GuardError::BelowFinal { .. })));
}

/// The behaviour of one call of a store.
#[derive(Debug, Clone, Copy)]
enum Write {
    Works,
    Fails,
    FailsAfterWriting,
    Panics,
}

/// A store that fails on request.
struct FailingStore {
    inner: MemoryGuardStore,
    next: Arc<Mutex<Write>>,
}

impl FailingStore {
    fn write(
        &mut self,
        write: impl FnOnce(&mut MemoryGuardStore) -> Result<(), GuardStoreError>,
    ) -> Result<(), GuardStoreError> {
        let failed = || GuardStoreError::backend(io::Error::other("the disk is full"));
        let next = *self.next.lock().expect("no panic under this lock");
        match next {
            Write::Works => write(&mut self.inner),
            Write::Fails => Err(failed()),
            Write::FailsAfterWriting => write(&mut self.inner).and(Err(failed())),
            Write::Panics => panic!("a bug in the store"),
        }
    }
}

impl GuardStore for FailingStore {
    fn load(&self) -> Result<GuardState, GuardStoreError> {
        self.inner.load()
    }

    fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardStoreError> {
        self.write(|store| store.record(height, hash))
    }

    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardStoreError> {
        self.write(|store| store.raise_final(height))
    }
}

/// A signer that counts its calls and misbehaves on request.
struct OddSigner {
    calls: Arc<AtomicU32>,
    key: Secret,
    oddity: Oddity,
}

#[derive(Clone, Copy)]
enum Oddity {
    None,
    HighS,
    OtherKey,
    OtherHash,
    Unavailable,
}

#[async_trait]
impl Signer for OddSigner {
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let sign = |hash: BlockHash, key: &Secret| {
            SECP256K1.sign_ecdsa(&Message::from_digest(hash.to_bytes()), key.key())
        };
        match self.oddity {
            Oddity::None => Ok(sign(hash, &self.key)),
            Oddity::HighS => Ok(high_s(sign(hash, &self.key))),
            Oddity::OtherKey => Ok(sign(hash, &Secret::generate())),
            Oddity::OtherHash => Ok(sign(BlockHash::from_bytes([9; 32]), &self.key)),
            Oddity::Unavailable => Err(SignerError::unavailable(io::Error::other("no module"))),
        }
    }
}

/// Returns the same signature with the other S: the order of the curve minus S.
fn high_s(signature: ecdsa::Signature) -> ecdsa::Signature {
    let mut compact = signature.serialize_compact();
    let s = secp256k1::SecretKey::from_slice(&compact[32..]).expect("S is a scalar");
    compact[32..].copy_from_slice(&s.negate().secret_bytes());
    ecdsa::Signature::from_compact(&compact).expect("a signature")
}

fn odd(
    oddity: Oddity,
    store: impl GuardStore + 'static,
) -> (GuardedSigner<OddSigner>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let signer = OddSigner {
        calls: Arc::clone(&calls),
        key: Secret::generate(),
        oddity,
    };
    (GuardedSigner::new(signer, store).expect("loads"), calls)
}

#[tokio::test]
async fn a_failing_store_means_no_signature() {
    for write in [Write::Fails, Write::FailsAfterWriting, Write::Panics] {
        let inner = MemoryGuardStore::new();
        let next = Arc::new(Mutex::new(write));
        let store = FailingStore {
            inner: inner.clone(),
            next: Arc::clone(&next),
        };
        let (signer, calls) = odd(Oddity::None, store);
        let refused = signer.sign_block(at(5), hash(1)).await;
        let error = refused.expect_err("the store failed");
        assert!(matches!(error, GuardError::Store(_)) && error.is_transient());
        assert_eq!(
            calls.load(Ordering::Relaxed),
            0,
            "the signer was not called"
        );

        // Once the store works again, its content counts, not what the guard believed.
        *next.lock().expect("no panic under this lock") = Write::Works;
        let other = signer.sign_block(at(5), hash(2)).await;
        if matches!(write, Write::FailsAfterWriting) {
            assert!(matches!(other, Err(GuardError::Conflict { .. })));
            signer.sign_block(at(5), hash(1)).await.expect("on record");
        } else {
            other.expect("nothing was on record, and nothing was signed");
            assert_eq!(
                inner.load().expect("in memory").signed(at(5)),
                Some(hash(2))
            );
        }
    }
}

#[tokio::test]
async fn the_record_exists_before_the_signer_is_called() {
    let store = MemoryGuardStore::new();
    let (signer, _) = odd(Oddity::Unavailable, store.clone());
    let error = signer.sign_block(at(5), hash(1)).await.expect_err("down");
    assert!(error.is_transient());
    assert_eq!(
        store.load().expect("in memory").signed(at(5)),
        Some(hash(1))
    );
    let refused = signer.sign_block(at(5), hash(2)).await;
    assert!(matches!(refused, Err(GuardError::Conflict { .. })));
}

#[tokio::test]
async fn a_high_s_is_normalised() {
    let (signer, _) = odd(Oddity::HighS, MemoryGuardStore::new());
    let signature = signer.sign_block(at(5), hash(1)).await.expect("valid");
    let mut normal = signature;
    normal.normalize_s();
    assert_eq!(normal, signature);
}

#[tokio::test]
async fn a_signature_that_does_not_verify_is_not_returned() {
    for oddity in [Oddity::OtherKey, Oddity::OtherHash] {
        let (signer, _) = odd(oddity, MemoryGuardStore::new());
        let refused = signer.sign_block(at(5), hash(1)).await;
        let error = refused.expect_err("the signature is of another key or hash");
        assert!(matches!(error, GuardError::BadSignature { .. }));
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn of_concurrent_requests_for_different_blocks_one_gets_its_signature() {
    let signer = Arc::new(guarded(&MemoryGuardStore::new()));
    let requests: Vec<_> = (0..16)
        .map(|n| {
            let signer = Arc::clone(&signer);
            tokio::spawn(async move { signer.sign_block(at(5), hash(n)).await.is_ok() })
        })
        .collect();
    let mut signed = 0;
    for request in requests {
        signed += u32::from(request.await.expect("no panic"));
    }
    assert_eq!(signed, 1);
}

#[tokio::test]
async fn a_dropped_request_leaves_no_signature_without_a_record() {
    let store = MemoryGuardStore::new();
    let signer = guarded(&store);
    // Polled once: the record may be in progress, the signature has not been requested.
    tokio::select! {
        biased;
        _ = signer.sign_block(at(5), hash(1)) => {}
        () = core::future::ready(()) => {}
    }
    // Whichever came first, they are never both signed.
    let second = signer.sign_block(at(5), hash(2)).await;
    let first = signer.sign_block(at(5), hash(1)).await;
    assert!(second.is_ok() != first.is_ok());
}

#[tokio::test]
async fn records_stay_bounded_and_dropped_heights_are_refused() {
    let store = MemoryGuardStore::new();
    let signer = guarded(&store);
    let most = MAX_OPEN_HEIGHTS as u32;
    for height in 1..=most + 500 {
        signer.sign_block(at(height), hash(1)).await.expect("open");
    }
    let state = signer.records().await.expect("in memory");
    assert_eq!(state.highest_final(), Some(at(500)));
    assert!(state.records().count() <= MAX_OPEN_HEIGHTS + AUDIT_HEIGHTS as usize + 1);
    assert_eq!(state, store.load().expect("in memory"));
    let refused = signer.sign_block(at(2), hash(2)).await;
    assert!(matches!(refused, Err(GuardError::BelowFinal { .. })));
    // A height below all open ones would be dropped first, so it is refused.
    signer.raise_final(at(600)).await.expect("in memory");
    for height in 700..700 + 2 * most {
        let _ = signer.sign_block(at(height), hash(1)).await;
    }
    let refused = signer.sign_block(at(601), hash(2)).await;
    assert!(matches!(refused, Err(GuardError::BelowFinal { .. })));
}

#[derive(Debug, Clone)]
enum Step {
    Sign(u32, u8),
    RaiseFinal(u32),
    Restart,
    Store(Write),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u32..12, 0u8..4).prop_map(|(height, n)| Step::Sign(height, n)),
        2 => (0u32..12).prop_map(Step::RaiseFinal),
        1 => Just(Step::Restart),
        2 => prop_oneof![
            2 => Just(Write::Works),
            1 => Just(Write::Fails),
            1 => Just(Write::FailsAfterWriting),
        ]
        .prop_map(Step::Store),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is requested, whatever fails and whenever it restarts: one hash per height, and
    /// nothing at or below a final height.
    #[test]
    fn never_two_hashes_at_a_height(steps in prop::collection::vec(step(), 1..80)) {
        let inner = MemoryGuardStore::new();
        let next = Arc::new(Mutex::new(Write::Works));
        let open = || {
            let store = FailingStore { inner: inner.clone(), next: Arc::clone(&next) };
            odd(Oddity::None, store).0
        };
        let mut signer = open();
        let mut signed: BTreeMap<u32, u8> = BTreeMap::new();
        let mut highest_final: Option<u32> = None;
        let runtime = runtime();
        for step in steps {
            match step {
                Step::Sign(height, n) => {
                    if runtime.block_on(signer.sign_block(at(height), hash(n))).is_ok() {
                        let first = *signed.entry(height).or_insert(n);
                        prop_assert_eq!(first, n, "two hashes at height {}", height);
                        prop_assert!(highest_final.is_none_or(|highest| height > highest));
                    }
                }
                Step::RaiseFinal(height) => {
                    if runtime.block_on(signer.raise_final(at(height))).is_ok() {
                        highest_final = highest_final.max(Some(height));
                    }
                }
                Step::Restart => signer = open(),
                Step::Store(write) => *next.lock().expect("no panic under this lock") = write,
            }
        }
    }
}
