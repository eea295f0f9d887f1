//! What a block key has signed, in a database of its own.

use std::path::Path;

use federation_chain::{BlockHash, BlockHeight};
use federation_multisig::PublicKey;
use federation_signer::{AUDIT_HEIGHTS, GuardState, GuardStore, GuardStoreError};
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError};

use super::{
    StoreError,
    database::{META, Opened, begin_write, open},
};

const SIGNED: TableDefinition<'_, u32, [u8; 32]> = TableDefinition::new("signed");

/// The guard's records of one block key on one chain.
#[derive(Debug)]
pub struct RedbGuardStore {
    database: Database,
    is_new: bool,
}

impl RedbGuardStore {
    /// Opens the guard in a folder, or makes it for this key on the chain with this genesis.
    ///
    /// # Errors
    /// If it is in use, damaged, or of another key, chain or version.
    pub fn open(folder: &Path, key: &PublicKey, genesis: BlockHash) -> Result<Self, StoreError> {
        let owner: [(&str, &[u8]); 2] = [("key", &key.serialize()), ("chain", genesis.as_bytes())];
        let Opened { database, is_new } = open(folder, "guard.redb", &owner)?;
        Ok(Self { database, is_new })
    }

    /// Whether this call made it.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }
}

fn final_height(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<BlockHeight>, GuardStoreError> {
    let Some(value) = meta.get("final").map_err(GuardStoreError::backend)? else {
        return Ok(None);
    };
    let bytes = value.value().try_into().map_err(|_| {
        let reason = "the final height has not four bytes";
        GuardStoreError::backend(StorageError::Corrupted(reason.to_owned()))
    })?;
    Ok(Some(BlockHeight::new(u32::from_le_bytes(bytes))))
}

impl GuardStore for RedbGuardStore {
    fn load(&self) -> Result<GuardState, GuardStoreError> {
        let read = self
            .database
            .begin_read()
            .map_err(GuardStoreError::backend)?;
        let meta = read.open_table(META).map_err(GuardStoreError::backend)?;
        let table = match read.open_table(SIGNED) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => {
                return Ok(GuardState::new(final_height(&meta)?, []));
            }
            Err(error) => return Err(GuardStoreError::backend(error)),
        };
        let mut signed = Vec::new();
        for entry in table.iter().map_err(GuardStoreError::backend)? {
            let (height, hash) = entry.map_err(GuardStoreError::backend)?;
            signed.push((
                BlockHeight::new(height.value()),
                BlockHash::from_bytes(hash.value()),
            ));
        }
        Ok(GuardState::new(final_height(&meta)?, signed))
    }

    fn record(&mut self, height: BlockHeight, hash: BlockHash) -> Result<(), GuardStoreError> {
        let write = begin_write(&self.database).map_err(GuardStoreError::backend)?;
        {
            let mut table = write.open_table(SIGNED).map_err(GuardStoreError::backend)?;
            let found = table
                .get(height.to_u32())
                .map_err(GuardStoreError::backend)?
                .map(|found| BlockHash::from_bytes(found.value()));
            match found {
                Some(signed) if signed == hash => return Ok(()),
                Some(signed) => {
                    return Err(GuardStoreError::Conflict {
                        height,
                        signed,
                        asked: hash,
                    });
                }
                None => {
                    table
                        .insert(height.to_u32(), hash.to_bytes())
                        .map_err(GuardStoreError::backend)?;
                }
            }
        }
        // A commit of redb is synced before it returns, unless asked otherwise.
        write.commit().map_err(GuardStoreError::backend)
    }

    fn raise_final(&mut self, height: BlockHeight) -> Result<(), GuardStoreError> {
        let write = begin_write(&self.database).map_err(GuardStoreError::backend)?;
        {
            let mut meta = write.open_table(META).map_err(GuardStoreError::backend)?;
            if final_height(&meta)?.is_some_and(|known| known >= height) {
                return Ok(());
            }
            meta.insert("final", height.to_u32().to_le_bytes().as_slice())
                .map_err(GuardStoreError::backend)?;
            let kept_from = height.to_u32().saturating_sub(AUDIT_HEIGHTS);
            write
                .open_table(SIGNED)
                .map_err(GuardStoreError::backend)?
                .retain_in(..kept_from, |_, _| false)
                .map_err(GuardStoreError::backend)?;
        }
        write.commit().map_err(GuardStoreError::backend)
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
    fn it_keeps_the_contract_of_guard_stores() {
        federation_signer::contract::guard_store(|| {
            let folder = tempfile::tempdir().expect("a folder");
            move || RedbGuardStore::open(folder.path(), &key(1), genesis()).expect("it opens")
        });
    }

    #[test]
    fn another_keys_or_chains_guard_is_refused() {
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
        assert!(
            !RedbGuardStore::open(folder.path(), &key(1), genesis())
                .expect("there")
                .is_new()
        );
    }
}
