//! Contract tests for signers, identity signers and guard stores, for the crates that implement
//! one.
//!
//! They panic on failure, with a message that says what is broken.
//!
//! ```
//! use federation_signer::{MemoryGuardStore, Secret, SoftwareSigner, contract};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! contract::signer(&SoftwareSigner::new(Secret::generate())).await;
//! // Each call of the outer closure creates an empty store, each call of the inner one opens it
//! // again.
//! contract::guard_store(|| {
//!     let store = MemoryGuardStore::new();
//!     move || store.clone()
//! });
//! # }
//! ```

use federation_chain::{BlockHash, BlockHeight};
use secp256k1::{Message, SECP256K1, ecdsa, schnorr};

use crate::{
    AUDIT_HEIGHTS, GuardState, GuardStore, GuardStoreError, IdentitySigner, Signer, SpendSigner,
};

/// Hashes including extreme values: a signer must not interpret the 32 bytes.
fn digests() -> impl Iterator<Item = [u8; 32]> {
    [[0; 32], [0xff; 32]].into_iter().chain((1..=30).map(|n| {
        let mut digest = [n; 32];
        digest[31] = !n;
        digest
    }))
}

/// Checks that a block signer produces ECDSA signatures with its key, of exactly the hashes given.
///
/// # Panics
/// If it does not.
pub async fn signer(signer: &(impl Signer + ?Sized)) {
    let public_key = signer.public_key();
    for digest in digests() {
        let signature = signer
            .sign_block(BlockHash::from_bytes(digest))
            .await
            .expect("a reachable signer signs");
        assert_eq!(signer.public_key(), public_key, "the key never changes");
        let verifies = |digest, mut signature: ecdsa::Signature| {
            // A module may return either S; the guard normalises it.
            signature.normalize_s();
            SECP256K1
                .verify_ecdsa(&Message::from_digest(digest), &signature, &public_key)
                .is_ok()
        };
        assert!(
            verifies(digest, signature),
            "a signature must be over the 32 bytes of the hash, not hashed again"
        );
        let mut other = digest;
        other[0] ^= 1;
        assert!(
            !verifies(other, signature),
            "a signature must be valid for its hash only"
        );
    }
}

/// Checks that a spend signer produces ECDSA signatures with its key and low S, of exactly the
/// hashes given.
///
/// # Panics
/// If it does not.
pub async fn spend_signer(signer: &(impl SpendSigner + ?Sized)) {
    let public_key = signer.public_key();
    for digest in digests() {
        let signature = signer
            .sign_spend(digest)
            .await
            .expect("a reachable signer signs");
        assert_eq!(signer.public_key(), public_key, "the key never changes");
        assert!(
            SECP256K1
                .verify_ecdsa(&Message::from_digest(digest), &signature, &public_key)
                .is_ok(),
            "a signature must have low S and be over the 32 bytes, not hashed again"
        );
    }
}

/// Checks that an identity signer produces BIP 340 signatures with its key, of exactly the digests
/// given.
///
/// # Panics
/// If it does not.
pub async fn identity_signer(signer: &(impl IdentitySigner + ?Sized)) {
    let public_key = signer.public_key();
    for digest in digests() {
        let signature = signer
            .sign_envelope(digest)
            .await
            .expect("a reachable signer signs");
        assert_eq!(signer.public_key(), public_key, "the key never changes");
        let signature = schnorr::Signature::from_slice(&signature).expect("64 bytes");
        let verifies = |digest| {
            SECP256K1
                .verify_schnorr(&signature, &Message::from_digest(digest), &public_key)
                .is_ok()
        };
        assert!(verifies(digest), "a signature must verify");
        let mut other = digest;
        other[0] ^= 1;
        assert!(
            !verifies(other),
            "a signature must be valid for its digest only"
        );
    }
}

/// Checks that a store keeps the guard's records, even after it is dropped and opened again.
///
/// `fresh` creates empty storage, such as a folder, and returns a function that opens it. No two
/// stores are open on one storage at a time.
///
/// # Panics
/// If the store violates the contract of [`GuardStore`].
pub fn guard_store<S: GuardStore, O: FnMut() -> S>(mut fresh: impl FnMut() -> O) {
    starts_empty_and_keeps_records(&mut fresh());
    refuses_a_second_hash(&mut fresh());
    never_lowers_the_final_height(&mut fresh());
    drops_records_that_audits_no_longer_need(&mut fresh());
    accepts_every_height(&mut fresh());
}

const fn hash(n: u8) -> BlockHash {
    BlockHash::from_bytes([n; 32])
}

const fn at(height: u32) -> BlockHeight {
    BlockHeight::new(height)
}

fn loaded(store: &impl GuardStore) -> GuardState {
    store.load().expect("a working store loads")
}

fn record(store: &mut impl GuardStore, height: u32, n: u8) {
    store
        .record(at(height), hash(n))
        .expect("a working store records");
}

fn raise_final(store: &mut impl GuardStore, height: u32) {
    store
        .raise_final(at(height))
        .expect("a working store raises the final height");
}

fn starts_empty_and_keeps_records<S: GuardStore>(open: &mut impl FnMut() -> S) {
    let mut store = open();
    assert_eq!(
        loaded(&store),
        GuardState::default(),
        "a new store is empty"
    );
    record(&mut store, 8, 2);
    record(&mut store, 7, 1);
    record(&mut store, 7, 1);
    let expected = GuardState::new(None, [(at(7), hash(1)), (at(8), hash(2))]);
    assert_eq!(
        loaded(&store),
        expected,
        "a store returns what was recorded"
    );
    drop(store);
    let mut store = open();
    assert_eq!(loaded(&store), expected, "records outlive the store");
    record(&mut store, 9, 3);
    drop(store);
    assert_eq!(loaded(&open()).signed(at(9)), Some(hash(3)));
}

fn refuses_a_second_hash<S: GuardStore>(open: &mut impl FnMut() -> S) {
    let mut store = open();
    record(&mut store, 7, 1);
    for _ in 0..2 {
        let refused = store.record(at(7), hash(2));
        assert!(
            matches!(
                refused,
                Err(GuardStoreError::Conflict { height, signed, asked })
                    if (height, signed, asked) == (at(7), hash(1), hash(2))
            ),
            "a second hash at a height must be refused: {refused:?}"
        );
        assert_eq!(
            loaded(&store),
            GuardState::new(None, [(at(7), hash(1))]),
            "the first hash at a height must stay"
        );
        drop(store);
        store = open();
    }
}

fn never_lowers_the_final_height<S: GuardStore>(open: &mut impl FnMut() -> S) {
    let mut store = open();
    record(&mut store, 20, 1);
    record(&mut store, 30, 2);
    raise_final(&mut store, 20);
    raise_final(&mut store, 10);
    let expected = GuardState::new(Some(at(20)), [(at(20), hash(1)), (at(30), hash(2))]);
    assert_eq!(
        loaded(&store),
        expected,
        "the final height must never be lowered"
    );
    drop(store);
    assert_eq!(
        loaded(&open()),
        expected,
        "the final height outlives the store"
    );
}

fn drops_records_that_audits_no_longer_need<S: GuardStore>(open: &mut impl FnMut() -> S) {
    let top = 2 * AUDIT_HEIGHTS;
    let mut store = open();
    for height in (0..=top).step_by(16) {
        record(&mut store, height, 1);
    }
    raise_final(&mut store, top - 16);
    drop(store);
    let state = loaded(&open());
    let kept: Vec<_> = state.records().map(|(height, _)| height.to_u32()).collect();
    let expected: Vec<_> = (top - 16 - AUDIT_HEIGHTS..=top).step_by(16).collect();
    assert_eq!(
        kept, expected,
        "only the records of the last heights are kept"
    );
}

fn accepts_every_height<S: GuardStore>(open: &mut impl FnMut() -> S) {
    let mut store = open();
    record(&mut store, u32::MAX, 1);
    record(&mut store, 0, 2);
    raise_final(&mut store, u32::MAX);
    drop(store);
    let expected = GuardState::new(Some(at(u32::MAX)), [(at(u32::MAX), hash(1))]);
    assert_eq!(
        loaded(&open()),
        expected,
        "every height of the type is accepted"
    );
}
