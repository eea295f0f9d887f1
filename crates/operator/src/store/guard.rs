//! The block hashes that a block key has signed, in a separate database.

use std::path::Path;

use federation_chain::{BlockHash, BlockHeight};
use federation_multisig::PublicKey;
use federation_signer::{
    AUDIT_HEIGHTS, GuardSnapshot, GuardStanding, GuardState, GuardStore, GuardStoreError,
};
use redb::{Database, ReadableTable, StorageError, TableDefinition};

use super::{
    StoreError,
    database::{META, OpenDatabase, open},
    transaction::{Change, Failure, read, table, write, write_if},
};

pub(super) const SIGNED: TableDefinition<'_, u32, [u8; 32]> = TableDefinition::new("signed");

/// The file's name in the store's folder.
pub(super) const NAME: &str = "guard.redb";

/// Keys of the meta table; missing values are zero or `None`.
const FINAL: &str = "final";
const STANDING: &str = "standing";
const NUMBER: &str = "number";

/// A standing that a newer version introduced.
#[derive(Debug, thiserror::Error)]
#[error("a guard of standing {0}")]
pub(super) struct UnknownStanding(u32);

/// The records of an active guard, for one block key on one chain.
#[derive(Debug)]
pub struct RedbGuardStore {
    database: Database,
    is_new: bool,
}

impl RedbGuardStore {
    /// Opens the guard in a folder, or creates it for this key on the chain with this genesis.
    ///
    /// # Errors
    /// If it is in use or damaged, belongs to another key, chain or version, was moved to another
    /// machine, or does not know everything that the key has signed.
    pub fn open(folder: &Path, key: &PublicKey, genesis: BlockHash) -> Result<Self, StoreError> {
        let path = folder.join(NAME);
        let database = open_any(folder, key, genesis)?;
        let held = read_held(&database).map_err(|error| StoreError::read(&path, &error))?;
        match held.standing {
            GuardStanding::Active => Ok(Self {
                is_new: held.is_empty(),
                database,
            }),
            GuardStanding::MovedAway => Err(StoreError::MovedAway {
                path,
                number: held.number,
            }),
            GuardStanding::Unproven => Err(StoreError::Unproven { path }),
        }
    }

    /// Returns whether nothing was ever recorded in it: it was created just now, or has not been used
    /// since its creation.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }
}

/// Opens a guard of any standing.
pub(super) fn open_any(
    folder: &Path,
    key: &PublicKey,
    genesis: BlockHash,
) -> Result<Database, StoreError> {
    let owner: [(&str, &[u8]); 2] = [("key", &key.serialize()), ("chain", genesis.as_bytes())];
    let OpenDatabase { database, .. } = open(folder, NAME, &owner)?;
    Ok(database)
}

/// Reads a number from the meta table.
fn number(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
) -> Result<Option<u32>, StorageError> {
    let Some(value) = meta.get(name)? else {
        return Ok(None);
    };
    let bytes = value
        .value()
        .try_into()
        .map_err(|_| StorageError::Corrupted(format!("`{name}` is not four bytes long")))?;
    Ok(Some(u32::from_le_bytes(bytes)))
}

fn final_height(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<BlockHeight>, StorageError> {
    Ok(number(meta, FINAL)?.map(BlockHeight::new))
}

/// Reads the whole database of a guard.
pub(super) fn read_held(database: &Database) -> Result<GuardSnapshot, GuardStoreError> {
    read(database, GuardStoreError::backend, |transaction| {
        let meta = transaction.open_table(META)?;
        let standing = match number(&meta, STANDING)? {
            None | Some(0) => GuardStanding::Active,
            Some(1) => GuardStanding::MovedAway,
            Some(2) => GuardStanding::Unproven,
            Some(other) => {
                let unknown = GuardStoreError::backend(UnknownStanding(other));
                return Err(Failure::Content(unknown));
            }
        };
        let mut signed = Vec::new();
        if let Some(table) = table(transaction, SIGNED)? {
            for entry in table.iter()? {
                let (height, hash) = entry?;
                signed.push((
                    BlockHeight::new(height.value()),
                    BlockHash::from_bytes(hash.value()),
                ));
            }
        }
        Ok(GuardSnapshot {
            standing,
            number: number(&meta, NUMBER)?.unwrap_or_default(),
            state: GuardState::new(final_height(&meta)?, signed),
        })
    })
}

/// Replaces the whole content of a guard's database atomically; durable on return.
pub(super) fn write_held(database: &Database, held: &GuardSnapshot) -> Result<(), GuardStoreError> {
    write(database, GuardStoreError::backend, |transaction| {
        let mut meta = transaction.open_table(META)?;
        let standing: u32 = match held.standing {
            GuardStanding::Active => 0,
            GuardStanding::MovedAway => 1,
            GuardStanding::Unproven => 2,
        };
        let highest_final = held.state.highest_final().map(BlockHeight::to_u32);
        for (name, value) in [
            (STANDING, Some(standing)),
            (NUMBER, Some(held.number)),
            (FINAL, highest_final),
        ] {
            if let Some(value) = value {
                meta.insert(name, value.to_le_bytes().as_slice())?;
            }
        }
        let mut table = transaction.open_table(SIGNED)?;
        table.retain(|_, _| false)?;
        for (height, hash) in held.state.records() {
            table.insert(height.to_u32(), hash.to_bytes())?;
        }
        Ok(())
    })
}

impl GuardStore for RedbGuardStore {
    fn load(&self) -> Result<GuardState, GuardStoreError> {
        read_held(&self.database).map(|held| held.state)
    }

    fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardStoreError> {
        write_if(&self.database, GuardStoreError::backend, |transaction| {
            let mut table = transaction.open_table(SIGNED)?;
            let found = table
                .get(height.to_u32())?
                .map(|found| BlockHash::from_bytes(found.value()));
            match found {
                Some(signed) if signed == hash => Ok(((), Change::Nothing)),
                Some(signed) => Err(Failure::Content(GuardStoreError::Conflict {
                    height,
                    signed,
                    asked: hash,
                })),
                None => {
                    table.insert(height.to_u32(), hash.to_bytes())?;
                    Ok(((), Change::Commit))
                }
            }
        })
    }

    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardStoreError> {
        write_if(&self.database, GuardStoreError::backend, |transaction| {
            let mut meta = transaction.open_table(META)?;
            if final_height(&meta)?.is_some_and(|known| known >= height) {
                return Ok(((), Change::Nothing));
            }
            meta.insert(FINAL, height.to_u32().to_le_bytes().as_slice())?;
            let kept_from = height.to_u32().saturating_sub(AUDIT_HEIGHTS);
            transaction
                .open_table(SIGNED)?
                .retain_in(..kept_from, |_, _| false)?;
            Ok(((), Change::Commit))
        })
    }
}

#[cfg(test)]
mod tests {
    use secp256k1::{SECP256K1, SecretKey};

    use super::*;

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_slice(&[seed; 32])
            .expect("a key")
            .public_key(SECP256K1)
    }

    fn genesis() -> BlockHash {
        BlockHash::from_bytes([1; 32])
    }

    #[test]
    fn it_fulfils_the_contract_of_guard_stores() {
        federation_signer::contract::guard_store(|| {
            let folder = tempfile::tempdir().expect("a folder");
            move || RedbGuardStore::open(folder.path(), &key(1), genesis()).expect("it opens")
        });
    }

    #[test]
    fn the_guard_of_another_key_or_chain_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let guard = RedbGuardStore::open(folder.path(), &key(1), genesis()).expect("new");
        assert!(guard.is_new());
        assert!(matches!(
            RedbGuardStore::open(folder.path(), &key(1), genesis()),
            Err(StoreError::InUse { .. })
        ));
        drop(guard);
        assert!(matches!(
            RedbGuardStore::open(folder.path(), &key(2), genesis()),
            Err(StoreError::Foreign { what: "key", .. })
        ));
        assert!(matches!(
            RedbGuardStore::open(folder.path(), &key(1), BlockHash::from_bytes([2; 32])),
            Err(StoreError::Foreign { what: "chain", .. })
        ));
    }

    #[test]
    fn a_guard_is_new_until_something_is_recorded() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || RedbGuardStore::open(folder.path(), &key(1), genesis()).expect("it opens");
        assert!(open().is_new());
        // A refused start leaves an empty guard behind, which must still count as new.
        assert!(open().is_new());
        open().raise_final(BlockHeight::new(1)).expect("raised");
        assert!(!open().is_new());
    }
}
