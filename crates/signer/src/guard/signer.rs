//! The only way to obtain a block signature.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use federation_chain::{BlockHash, BlockHeight};
use secp256k1::{Message, PublicKey, SECP256K1, ecdsa};

use super::{GuardError, GuardState, GuardStore, GuardStoreError};
use crate::Signer;

/// A signer behind its guard.
///
/// It signs one block hash per height. The hash is recorded durably before the signer is called; if
/// the store fails, nothing is signed. The signature is verified before it is returned.
pub struct GuardedSigner<S> {
    signer: S,
    public_key: PublicKey,
    guard: Arc<Mutex<Guard>>,
}

/// Tells whether a guard's store is still open, without keeping it open.
#[derive(Clone)]
pub struct GuardInUse(Weak<Mutex<Guard>>);

impl GuardInUse {
    /// Returns whether the store is closed: the signer is gone, and so are its pending writes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl core::fmt::Debug for GuardInUse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("GuardInUse").field(&!self.is_over()).finish()
    }
}

struct Guard {
    store: Box<dyn GuardStore>,
    /// The content of the store; `None` if it is unknown, after a failed write.
    state: Option<GuardState>,
}

impl<S: Signer> core::fmt::Debug for GuardedSigner<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GuardedSigner")
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

impl<S: Signer> GuardedSigner<S> {
    /// Puts a signer behind its guard. The store must belong to this key and hold its whole
    /// history.
    ///
    /// # Errors
    /// [`GuardError::Store`] if the records cannot be read.
    pub fn new(signer: S, store: impl GuardStore + 'static) -> Result<Self, GuardError> {
        let state = store.load()?;
        Ok(Self {
            public_key: signer.public_key(),
            signer,
            guard: Arc::new(Mutex::new(Guard {
                store: Box::new(store),
                state: Some(state),
            })),
        })
    }

    /// Returns the public key, as the signer reported it at the start.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Returns a handle that tells later whether the guard's store is closed. A write continues
    /// after its future is dropped, so the store may stay open slightly longer than this signer
    /// exists.
    #[must_use]
    pub fn in_use(&self) -> GuardInUse {
        GuardInUse(Arc::downgrade(&self.guard))
    }

    /// Signs the block with this hash at this height, unless another was or may be signed there.
    ///
    /// The same hash may be requested again until its height is final. This needs a tokio runtime:
    /// the store is written on a blocking thread. If the returned future is dropped, the record may
    /// or may not exist, but there is never a signature without a record.
    ///
    /// # Errors
    /// See [`GuardError`]; nothing is signed in any of these cases.
    pub async fn sign_block(
        &self,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Result<ecdsa::Signature, GuardError> {
        self.blocking(move |guard| guard.admit(height, hash))
            .await?;
        self.checked(hash, self.signer.sign_block(hash).await?)
    }

    /// Like [`Self::sign_block`], but also passes the unsigned block to the signer, for a key
    /// holder that needs to see it, such as a node's wallet. The hash must be that of the block.
    ///
    /// # Errors
    /// See [`GuardError`]; nothing is signed in any of these cases.
    pub async fn sign_full_block(
        &self,
        height: BlockHeight,
        hash: BlockHash,
        block: &[u8],
    ) -> Result<ecdsa::Signature, GuardError> {
        self.blocking(move |guard| guard.admit(height, hash))
            .await?;
        self.checked(hash, self.signer.sign_full_block(hash, block).await?)
    }

    /// Returns the signature with low S, if it is by this key over this hash.
    fn checked(
        &self,
        hash: BlockHash,
        mut signature: ecdsa::Signature,
    ) -> Result<ecdsa::Signature, GuardError> {
        // Every signature has an equally valid one with the other S; the chain accepts low S only.
        signature.normalize_s();
        SECP256K1
            .verify_ecdsa(
                &Message::from_digest(hash.to_bytes()),
                &signature,
                &self.public_key,
            )
            .map_err(|_| GuardError::BadSignature {
                hash,
                public_key: self.public_key,
            })?;
        Ok(signature)
    }

    /// Marks a height as final: nothing at or below it will be signed any more.
    ///
    /// # Errors
    /// [`GuardError::Store`] if that could not be made durable.
    pub async fn raise_final(&self, height: BlockHeight) -> Result<(), GuardError> {
        self.blocking(move |guard| guard.raise_final(height)).await
    }

    /// Returns the guard's records, for audits.
    ///
    /// # Errors
    /// [`GuardError::Store`] if they cannot be read.
    pub async fn records(&self) -> Result<GuardState, GuardError> {
        self.blocking(|guard| guard.state().map(|state| state.clone()))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Guard) -> Result<T, GuardError> + Send + 'static,
    ) -> Result<T, GuardError> {
        let guard = Arc::clone(&self.guard);
        tokio::task::spawn_blocking(move || work(&mut lock(&guard)))
            .await
            .unwrap_or_else(|gone| Err(GuardStoreError::backend(gone).into()))
    }
}

/// After a panic in the store its state is unknown, so it is read again.
fn lock(guard: &Mutex<Guard>) -> MutexGuard<'_, Guard> {
    guard.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
        guard.clear_poison();
        let mut guard = poisoned.into_inner();
        guard.state = None;
        guard
    })
}

impl Guard {
    fn state(&mut self) -> Result<&mut GuardState, GuardError> {
        let state = match self.state.take() {
            Some(state) => state,
            None => self.store.load()?,
        };
        Ok(self.state.insert(state))
    }

    /// Records a hash, unless the guard refuses it.
    fn admit(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardError> {
        let state = self.state()?;
        if let Some(highest_final) = state.highest_final()
            && height <= highest_final
        {
            return Err(GuardError::BelowFinal {
                height,
                highest_final,
            });
        }
        match state.signed(height) {
            Some(signed) if signed == hash => return Ok(()),
            Some(signed) => {
                return Err(GuardError::Conflict {
                    height,
                    signed,
                    asked: hash,
                });
            }
            None => {}
        }
        if let Some(lowest) = state.overflow(height) {
            self.raise_final(lowest)?;
            // The requested height may have just become final.
            return self.admit(height, hash);
        }
        self.write(
            |store| store.record(height, hash),
            |state| {
                // Checked above: no other hash is on record.
                let _ = state.record(height, hash);
            },
        )
    }

    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardError> {
        let highest = self.state()?.highest_final();
        if highest.is_some_and(|highest| highest >= height) {
            return Ok(());
        }
        self.write(
            |store| store.raise_final(height),
            |state| state.raise_final(height),
        )
    }

    /// Writes to the store, then to its copy in memory. If the store fails, it may or may not have
    /// written: the copy is dropped, and read again later.
    fn write(
        &mut self,
        to_store: impl FnOnce(&mut dyn GuardStore) -> Result<(), GuardStoreError>,
        to_state: impl FnOnce(&mut GuardState),
    ) -> Result<(), GuardError> {
        let state = self.state.take();
        to_store(&mut *self.store)?;
        self.state = state;
        if let Some(state) = &mut self.state {
            to_state(state);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
