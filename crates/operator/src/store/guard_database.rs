//! The whole database of a guard, for moving and repairing it.

use std::path::{Path, PathBuf};

use federation_chain::BlockHash;
use federation_multisig::PublicKey;
use federation_signer::GuardSnapshot;
use redb::Database;

use super::{
    StoreError,
    database::exists,
    guard::{NAME, open_any, read_held, write_held},
};

/// A guard of any standing, open and locked. It cannot sign.
#[derive(Debug)]
pub struct GuardDatabase {
    database: Database,
    path: PathBuf,
}

impl GuardDatabase {
    /// Returns the path of the guard's file in a store's folder.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// Returns whether there is a guard in a folder.
    ///
    /// # Errors
    /// If the system does not tell: a guard that cannot be looked up must not pass for a missing one.
    pub fn is_there(folder: &Path) -> Result<bool, StoreError> {
        exists(&Self::path(folder))
    }

    /// Opens the guard in a folder, or creates an empty one for this key on the chain with this
    /// genesis.
    ///
    /// # Errors
    /// If it is in use or damaged, or belongs to another key, chain or version.
    pub fn open(folder: &Path, key: &PublicKey, genesis: BlockHash) -> Result<Self, StoreError> {
        Ok(Self {
            database: open_any(folder, key, genesis)?,
            path: Self::path(folder),
        })
    }

    /// Opens an existing guard in a folder.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if it does not exist; otherwise as [`Self::open`].
    pub fn open_existing(
        folder: &Path,
        key: &PublicKey,
        genesis: BlockHash,
    ) -> Result<Self, StoreError> {
        let path = Self::path(folder);
        if !exists(&path)? {
            return Err(StoreError::Missing { path });
        }
        Self::open(folder, key, genesis)
    }

    /// Reads its whole content.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn held(&self) -> Result<GuardSnapshot, StoreError> {
        read_held(&self.database).map_err(|error| StoreError::read(&self.path, &error))
    }

    /// Replaces its whole content atomically; durable on return. The caller must make sure that the
    /// guard only moves forward, by using a value from a method of [`GuardSnapshot`].
    ///
    /// # Errors
    /// If it may not have become durable.
    pub fn replace(&self, held: &GuardSnapshot) -> Result<(), StoreError> {
        write_held(&self.database, held).map_err(|error| StoreError::write(&self.path, &error))
    }
}

#[cfg(test)]
mod tests {
    use federation_chain::{BlockHeight, UnixTime};
    use federation_roster::FederationId;
    use federation_signer::{GuardPin, GuardStore, TakeBack};
    use secp256k1::{SECP256K1, SecretKey};

    use super::*;
    use crate::{RedbGuardStore, store::database::META};

    fn key() -> PublicKey {
        SecretKey::from_slice(&[1; 32])
            .expect("a key")
            .public_key(SECP256K1)
    }

    fn genesis() -> BlockHash {
        BlockHash::from_bytes([1; 32])
    }

    fn pin() -> GuardPin {
        GuardPin {
            federation: FederationId::from_bytes([7; 32]),
            genesis: genesis(),
            block_key: key(),
        }
    }

    fn hash(n: u8) -> BlockHash {
        BlockHash::from_bytes([n; 32])
    }

    #[test]
    fn a_guard_with_a_standing_of_a_newer_version_is_not_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        used(folder.path());
        let store = GuardDatabase::open(folder.path(), &key(), genesis()).expect("there");
        let write = store.database.begin_write().expect("begun");
        {
            let mut meta = write.open_table(META).expect("there");
            let later: &[u8] = &7u32.to_le_bytes();
            meta.insert("standing", later).expect("written");
        }
        write.commit().expect("durable");
        let error = store.held().expect_err("not known");
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        assert!(!error.is_damage());
        drop(store);
        let refused = RedbGuardStore::open(folder.path(), &key(), genesis());
        assert_eq!(refused.map(drop), Err(error));
    }

    /// Creates a guard that has signed two blocks, the first of them final.
    fn used(folder: &Path) {
        let mut guard = RedbGuardStore::open(folder, &key(), genesis()).expect("new");
        for height in [7, 8] {
            guard
                .record(BlockHeight::new(height), hash(1))
                .expect("recorded");
        }
        guard.raise_final(BlockHeight::new(7)).expect("raised");
    }

    fn open(folder: &Path) -> GuardDatabase {
        GuardDatabase::open_existing(folder, &key(), genesis()).expect("there")
    }

    #[test]
    fn a_guard_that_was_moved_away_does_not_open_for_signing_and_its_successor_does() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        used(here.path());
        let store = open(here.path());
        let held = store.held().expect("readable");
        let (moved, record) = held
            .transfer(pin(), UnixTime::from_secs(1))
            .expect("active");
        store.replace(&moved).expect("written");
        drop(store);
        let refused = RedbGuardStore::open(here.path(), &key(), genesis());
        let Err(StoreError::MovedAway { number: 1, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(open(here.path()).held(), Ok(moved));

        let successor = GuardDatabase::open(there.path(), &key(), genesis()).expect("new");
        let imported = successor
            .held()
            .expect("empty")
            .import(&record, TakeBack::Refused)
            .expect("fresh");
        successor.replace(&imported).expect("written");
        drop(successor);
        let mut guard = RedbGuardStore::open(there.path(), &key(), genesis()).expect("it signs");
        assert!(!guard.is_new());
        assert_eq!(guard.load().expect("readable"), held.state);
        assert!(guard.record(BlockHeight::new(8), hash(2)).is_err());
        guard
            .record(BlockHeight::new(9), hash(2))
            .expect("recorded");
    }

    #[test]
    fn a_copy_does_not_open_for_signing_until_it_is_repaired() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        used(here.path());
        let held = open(here.path()).held().expect("readable");
        let record = held.copy(pin(), UnixTime::from_secs(1)).expect("active");
        let store = GuardDatabase::open(there.path(), &key(), genesis()).expect("new");
        let imported = store
            .held()
            .expect("empty")
            .import(&record, TakeBack::Refused)
            .expect("fresh");
        store.replace(&imported).expect("written");
        drop(store);
        let refused = RedbGuardStore::open(there.path(), &key(), genesis());
        assert!(
            matches!(refused, Err(StoreError::Unproven { .. })),
            "{refused:?}"
        );
        let store = open(there.path());
        let repaired = imported.repaired(BlockHeight::new(20)).expect("not moved");
        store.replace(&repaired).expect("written");
        drop(store);
        let guard = RedbGuardStore::open(there.path(), &key(), genesis()).expect("it signs");
        let state = guard.load().expect("readable");
        assert_eq!(state.highest_final(), Some(BlockHeight::new(20)));
        assert_eq!(state.signed(BlockHeight::new(8)), Some(hash(1)));
    }

    #[test]
    fn opening_an_existing_guard_does_not_create_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = GuardDatabase::open_existing(folder.path(), &key(), genesis());
        assert!(matches!(missing, Err(StoreError::Missing { .. })));
        assert!(!GuardDatabase::path(folder.path()).exists());
    }
}
