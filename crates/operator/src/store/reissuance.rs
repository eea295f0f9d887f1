//! An operator's durable state of reissuances: the ledger as far as it was read, and the transactions
//! that the operator signed.
//!
//! It is a separate database, `reissuance.redb`, because blocks do not need it. If it fails, the operator
//! ends, as with the other stores, because nothing can be signed until it is reopened.

use std::path::{Path, PathBuf};

use federation_roster::{FederationId, OperatorId};
use redb::{Database, TableDefinition};

use super::{
    StoreError,
    database::{OpenDatabase, change_owner, open},
    records::{seal, unseal},
    transaction::{Failure, read, table, write},
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
        self.get(LEDGER, 0)
    }

    /// Writes the ledger's state.
    ///
    /// # Errors
    /// If it may not have become durable.
    pub(crate) fn write_ledger(&self, state: &[u8]) -> Result<(), StoreError> {
        self.insert(LEDGER, 0, state)
    }

    /// Returns the value written under this key.
    ///
    /// # Errors
    /// If it cannot be read or was altered.
    pub(crate) fn signed(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(SIGNED, key)
    }

    /// Writes what is about to be signed.
    ///
    /// # Errors
    /// If it may not have become durable: nothing may be signed then.
    pub(crate) fn write_signed(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.insert(SIGNED, key, value)
    }

    fn get<K: redb::Key + 'static>(
        &self,
        definition: TableDefinition<'_, K, &'static [u8]>,
        key: K::SelfType<'_>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let failed = |error| StoreError::read(&self.path, &error);
        read(&self.database, failed, |transaction| {
            let Some(table) = table(transaction, definition)? else {
                return Ok(None);
            };
            let Some(sealed) = table.get(key)? else {
                return Ok(None);
            };
            let value = unseal(sealed.value()).map(<[u8]>::to_vec);
            value.map(Some).ok_or_else(|| {
                Failure::Content(StoreError::Altered {
                    path: self.path.clone(),
                })
            })
        })
    }

    fn insert<K: redb::Key + 'static>(
        &self,
        definition: TableDefinition<'_, K, &'static [u8]>,
        key: K::SelfType<'_>,
        value: &[u8],
    ) -> Result<(), StoreError> {
        let failed = |error| StoreError::write(&self.path, &error);
        write(&self.database, failed, |transaction| {
            let mut table = transaction.open_table(definition)?;
            table.insert(key, &*seal(value))?;
            Ok(())
        })
    }
}
