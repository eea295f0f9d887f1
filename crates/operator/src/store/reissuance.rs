//! An operator's durable state of reissuances: the ledger as far as it was read, and the transactions
//! that the operator signed.
//!
//! It is a separate database, `reissuance.redb`, because blocks do not need it. If it fails, the operator
//! ends, as with the other stores, because nothing can be signed until it is reopened.

use std::path::{Path, PathBuf};

use federation_roster::{FederationId, OperatorId};
use redb::{Database, ReadableDatabase, TableDefinition, TableError};

use super::{
    StoreError,
    database::{OpenDatabase, begin_write, change_owner, open},
    records::{seal, unseal},
};

/// The ledger's state, under the one key 0.
const LEDGER: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("ledger");
/// By asset (32 bytes) and the point's height (4 bytes, big-endian): everything signed for it.
const SIGNED: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("signed");

/// The file's name in the store's folder.
const NAME: &str = "reissuance.redb";

/// The store of an operator's reissuances, durable once written.
#[derive(Debug)]
pub struct ReissuanceStore {
    database: Database,
    path: PathBuf,
}

impl ReissuanceStore {
    /// Opens the store in a folder, or creates it for this operator of this federation.
    ///
    /// # Errors
    /// If it is in use or damaged, or belongs to another federation, operator or version.
    pub fn open(
        folder: &Path,
        federation: FederationId,
        me: OperatorId,
    ) -> Result<Self, StoreError> {
        let owner: [(&str, &[u8]); 2] = [
            ("federation", federation.as_bytes()),
            ("operator", &[me.to_u8()]),
        ];
        let OpenDatabase { database, .. } = open(folder, NAME, &owner)?;
        Ok(Self {
            database,
            path: folder.join(NAME),
        })
    }

    /// Takes over the store of an operator under another roster: its content is about the chain, and
    /// valid under any roster. Returns whether there is a store.
    ///
    /// # Errors
    /// If it is in use or damaged, belongs to another version, or cannot be written.
    pub fn take_over(
        folder: &Path,
        federation: FederationId,
        me: OperatorId,
    ) -> Result<bool, StoreError> {
        let owner: [(&str, &[u8]); 2] = [
            ("federation", federation.as_bytes()),
            ("operator", &[me.to_u8()]),
        ];
        change_owner(folder, NAME, &owner)
    }

    /// Returns the ledger's state as last written, if ever.
    ///
    /// # Errors
    /// If it cannot be read or was altered.
    pub(crate) fn ledger(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self
            .database
            .begin_read()
            .map_err(|e| self.read_error(&e))?;
        match read.open_table(LEDGER) {
            Ok(table) => self.value(table.get(0).map_err(|e| self.read_error(&e))?),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.read_error(&error)),
        }
    }

    /// Writes the ledger's state.
    ///
    /// # Errors
    /// If it may not have become durable.
    pub(crate) fn write_ledger(&self, state: &[u8]) -> Result<(), StoreError> {
        let write = begin_write(&self.database).map_err(|e| self.write_error(&e))?;
        {
            let mut table = write.open_table(LEDGER).map_err(|e| self.write_error(&e))?;
            table
                .insert(0, &*seal(state))
                .map_err(|e| self.write_error(&e))?;
        }
        write.commit().map_err(|e| self.write_error(&e))
    }

    /// Returns the value written under this key.
    ///
    /// # Errors
    /// If it cannot be read or was altered.
    pub(crate) fn signed(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self
            .database
            .begin_read()
            .map_err(|e| self.read_error(&e))?;
        match read.open_table(SIGNED) {
            Ok(table) => self.value(table.get(key).map_err(|e| self.read_error(&e))?),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.read_error(&error)),
        }
    }

    /// Writes what is about to be signed.
    ///
    /// # Errors
    /// If it may not have become durable: nothing may be signed then.
    pub(crate) fn write_signed(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let write = begin_write(&self.database).map_err(|e| self.write_error(&e))?;
        {
            let mut table = write.open_table(SIGNED).map_err(|e| self.write_error(&e))?;
            table
                .insert(key, &*seal(value))
                .map_err(|e| self.write_error(&e))?;
        }
        write.commit().map_err(|e| self.write_error(&e))
    }

    fn value(
        &self,
        found: Option<redb::AccessGuard<'_, &'static [u8]>>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        found
            .map(|sealed| {
                unseal(sealed.value())
                    .map(<[u8]>::to_vec)
                    .ok_or_else(|| StoreError::Altered {
                        path: self.path.clone(),
                    })
            })
            .transpose()
    }

    fn write_error(&self, error: &(dyn std::error::Error + 'static)) -> StoreError {
        StoreError::write(&self.path, error)
    }

    fn read_error(&self, error: &(dyn std::error::Error + 'static)) -> StoreError {
        StoreError::read(&self.path, error)
    }
}
