//! The only way to a block signature.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use federation_chain::{BlockHash, BlockHeight};
use secp256k1::{Message, PublicKey, SECP256K1, ecdsa};

use super::{GuardError, GuardState, GuardStore, GuardStoreError};
use crate::Signer;

/// A signer and its guard, which no caller gets past.
///
/// For each height it signs one block hash. That hash is on record, durably, before the signer is
/// asked; a failing store means no signature. The signature is verified before it is given away.
pub struct GuardedSigner<S> {
    signer: S,
    public_key: PublicKey,
    guard: Arc<Mutex<Guard>>,
}

/// Knows whether a guard's store is still open, without keeping it so.
#[derive(Clone)]
pub struct GuardInUse(Weak<Mutex<Guard>>);

impl GuardInUse {
    /// Whether nobody has the store any more: the signer is gone, and so is what it was writing.
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
    /// What the store holds, or none when that is not known: after a failed write.
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
    /// Puts a signer behind its guard. The store must be this key's own, with all its history.
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

    /// The key's public half, as the signer gave it at the start.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// To find out later whether the guard's store is closed. A write goes on when its future is dropped,
    /// so the store may be open for a moment longer than this signer is there.
    #[must_use]
    pub fn in_use(&self) -> GuardInUse {
        GuardInUse(Arc::downgrade(&self.guard))
    }

    /// Signs the block with this hash at this height, if no other was or will be.
    ///
    /// The same hash may be asked for again until its height is final. Needs a tokio runtime: the
    /// store is written on a thread where blocking is no harm. Giving up the returned future leaves
    /// the record in place, or not, but never a signature without a record.
    ///
    /// # Errors
    /// See [`GuardError`]; in every case there is no signature.
    pub async fn sign_block(
        &self,
        height: BlockHeight,
        hash: BlockHash,
    ) -> Result<ecdsa::Signature, GuardError> {
        self.blocking(move |guard| guard.admit(height, hash))
            .await?;
        self.checked(hash, self.signer.sign_block(hash).await?)
    }

    /// As [`Self::sign_block`], and gives the unsigned block to the signer, for a key whose keeper
    /// wants to see it, such as a node's wallet. The hash must be the block's.
    ///
    /// # Errors
    /// See [`GuardError`]; in every case there is no signature.
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

    /// The signature with low S, if it is this key's over this hash.
    fn checked(
        &self,
        hash: BlockHash,
        mut signature: ecdsa::Signature,
    ) -> Result<ecdsa::Signature, GuardError> {
        // Every S has a low twin that is as valid; the chain takes the low one only.
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

    /// Tells the guard that a height is final: nothing at or below it will be signed any more.
    ///
    /// # Errors
    /// [`GuardError::Store`] if that could not be made durable.
    pub async fn raise_final(&self, height: BlockHeight) -> Result<(), GuardError> {
        self.blocking(move |guard| guard.raise_final(height)).await
    }

    /// The guard's records, for audits.
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

/// A store that panicked half way has left its state unknown, so it is read again.
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

    /// Lets a hash pass that is on record once this returns.
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
            // The height asked for may be the one that just became final.
            return self.admit(height, hash);
        }
        self.write(
            |store| store.record(height, hash),
            |state| {
                // Looked up above: no other hash is on record.
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

    /// Writes to the store, then the same to its image here. If the store fails, it may have
    /// written or not: the image is given up, to be read again.
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
