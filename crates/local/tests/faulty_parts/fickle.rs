//! Keys, policies, messengers and nodes that are slow, hang, fail now and then, refuse, or block their
//! thread, until the test makes them work again.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_chain::{Block, BlockHash};
use federation_harness::Middleman;
use federation_messenger::{Messenger, MessengerError, MessengerStats};
use federation_operator::BlockPolicy;
use federation_signer::{
    IdentitySigner, Secret, Signer, SignerError, SoftwareIdentity, SoftwareSigner, SoftwareSpender,
    SpendSigner,
};
use secp256k1::{PublicKey, XOnlyPublicKey, ecdsa};

/// The behaviour of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    /// One call at a time, each of which takes this long.
    Slow(Duration),
    /// Never answers.
    Hangs,
    /// Every n-th call never answers.
    HangsEach(usize),
    /// Every n-th call cannot reach the device.
    FailsEach(usize),
    /// Refuses every call.
    Refuses,
    Panics,
    /// Blocks its thread until its mood changes.
    Blocks,
}

/// A part with a mood that can be changed.
pub(crate) struct Fickle<T> {
    inner: T,
    mood: Mutex<Mood>,
    changed: Condvar,
    turn: tokio::sync::Mutex<()>,
    calls: AtomicUsize,
}

impl<T> Fickle<T> {
    pub(crate) fn new(inner: T, mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            inner,
            mood: Mutex::new(mood),
            changed: Condvar::new(),
            turn: tokio::sync::Mutex::new(()),
            calls: AtomicUsize::new(0),
        })
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
        self.changed.notify_all();
    }

    /// Returns how often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Behaves according to the mood, and returns when the call may continue.
    async fn act(&self) -> Result<(), SignerError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().expect("no panic");
        match mood {
            Mood::Slow(time) => {
                let _turn = self.turn.lock().await;
                tokio::time::sleep(time).await;
                Ok(())
            }
            Mood::Hangs => core::future::pending().await,
            Mood::HangsEach(n) if call % n == n - 1 => core::future::pending().await,
            Mood::FailsEach(n) if call % n == n - 1 => {
                let error = std::io::Error::from(std::io::ErrorKind::NotConnected);
                Err(SignerError::unavailable(error))
            }
            Mood::Refuses => Err(SignerError::Refused {
                reason: "the token wants a PIN for each use".to_owned(),
            }),
            Mood::Panics => panic!("a fickle part"),
            Mood::Blocks => {
                let mood = self.mood.lock().expect("no panic");
                let is_blocked = |mood: &mut Mood| *mood == Mood::Blocks;
                drop(self.changed.wait_while(mood, is_blocked));
                Ok(())
            }
            Mood::Works | Mood::HangsEach(_) | Mood::FailsEach(_) => Ok(()),
        }
    }
}

#[async_trait]
impl IdentitySigner for Fickle<SoftwareIdentity> {
    fn public_key(&self) -> XOnlyPublicKey {
        self.inner.public_key()
    }

    async fn sign_envelope(&self, digest: [u8; 32]) -> Result<[u8; 64], SignerError> {
        self.act().await?;
        self.inner.sign_envelope(digest).await
    }
}

#[async_trait]
impl Signer for Fickle<SoftwareSigner> {
    fn public_key(&self) -> PublicKey {
        self.inner.public_key()
    }

    async fn sign_block(&self, hash: BlockHash) -> Result<ecdsa::Signature, SignerError> {
        self.act().await?;
        self.inner.sign_block(hash).await
    }
}

#[async_trait]
impl SpendSigner for Fickle<SoftwareSpender> {
    fn public_key(&self) -> PublicKey {
        self.inner.public_key()
    }

    async fn sign_spend(&self, sighash: [u8; 32]) -> Result<ecdsa::Signature, SignerError> {
        self.act().await?;
        self.inner.sign_spend(sighash).await
    }
}

/// Accepts every block.
pub(crate) struct Anything;

#[async_trait]
impl BlockPolicy for Fickle<Anything> {
    async fn check(&self, _block: &Block) -> Result<(), String> {
        self.act().await.map_err(|error| error.to_string())
    }
}

pub(crate) fn identity(key: Secret, mood: Mood) -> Arc<Fickle<SoftwareIdentity>> {
    Fickle::new(SoftwareIdentity::new(key), mood)
}

pub(crate) fn signer(key: Secret, mood: Mood) -> Arc<Fickle<SoftwareSigner>> {
    Fickle::new(SoftwareSigner::new(key), mood)
}

#[async_trait]
impl Messenger for Fickle<Arc<dyn Messenger>> {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        self.act().await.map_err(|_| MessengerError::Closed)?;
        self.inner.broadcast(frame).await
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.inner.recv().await
    }

    fn stats(&self) -> MessengerStats {
        self.inner.stats()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

/// A node that does not answer while the flag is set.
pub(crate) struct Mute(pub(crate) std::sync::atomic::AtomicBool);

impl Middleman for Mute {
    fn hangs(&self, _: &str) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A node that forbids a method while `is_on` is set.
pub(crate) struct Forbids {
    pub(crate) method: &'static str,
    pub(crate) is_on: std::sync::atomic::AtomicBool,
}

impl Middleman for Forbids {
    fn forbids(&self, method: &str) -> bool {
        method == self.method && self.is_on.load(Ordering::SeqCst)
    }
}
