//! The protocol's records and the evidence.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use federation_block_signing::{Evidence, Record};
use federation_roster::{FederationId, OperatorId};
use redb::{Database, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::{
    EvidenceStore, StoreError, StoredEvidence,
    database::{OpenDatabase, exists, open},
    transaction::{Failure, read, table, write},
};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// The file's name in the store's folder.
const NAME: &str = "operator.redb";

/// The store of an operator's records, which are durable once written.
#[derive(Debug)]
pub struct Store {
    pub(super) database: Arc<Database>,
    pub(super) path: PathBuf,
    federation: FederationId,
    is_new: bool,
}

impl Store {
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
        let OpenDatabase { database, is_new } = open(folder, NAME, &owner)?;
        Ok(Self {
            database: Arc::new(database),
            path: Self::path(folder),
            federation,
            is_new,
        })
    }

    /// Returns the path of the store's file in its folder.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// Returns whether there is a store in a folder.
    ///
    /// # Errors
    /// If the system does not tell: a store that cannot be looked up must not pass for a missing one.
    pub fn is_there(folder: &Path) -> Result<bool, StoreError> {
        exists(&Self::path(folder))
    }

    /// Returns whether opening it created it.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns all records, in no particular order.
    ///
    /// # Errors
    /// If one cannot be read, was altered, or was written by another version.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        let altered = || StoreError::Altered {
            path: self.path.clone(),
        };
        self.read(|transaction| {
            let mut records = Vec::new();
            let Some(table) = table(transaction, RECORDS)? else {
                return Ok(records);
            };
            for entry in table.iter()? {
                let (_, sealed) = entry?;
                let bytes = unseal(sealed.value())
                    .ok_or_else(altered)
                    .map_err(Failure::Content)?;
                let record = Record::from_bytes(bytes).map_err(|source| {
                    Failure::Content(StoreError::Record {
                        path: self.path.clone(),
                        source,
                    })
                })?;
                records.push(record);
            }
            Ok(records)
        })
    }

    /// Writes records and removes those of lower heights, atomically; durable on return.
    ///
    /// # Errors
    /// If it may not have become durable.
    pub fn write(
        &self,
        records: &[Record],
        forget_below: Option<federation_chain::BlockHeight>,
    ) -> Result<(), StoreError> {
        self.replace(records, &[], forget_below)
    }

    /// Writes records, then removes those under the given [keys](Record::key) and those of lower
    /// heights, atomically; durable on return.
    ///
    /// # Errors
    /// If it may not have become durable.
    pub fn replace(
        &self,
        records: &[Record],
        outdated: &[Vec<u8>],
        forget_below: Option<federation_chain::BlockHeight>,
    ) -> Result<(), StoreError> {
        self.write_transaction(|transaction| {
            let mut table = transaction.open_table(RECORDS)?;
            for record in records {
                table.insert(&*record.key(), &*seal(&record.to_bytes()))?;
            }
            for key in outdated {
                table.remove(key.as_slice())?;
            }
            if let Some(below) = forget_below {
                let lowest = Record::height_key(federation_chain::BlockHeight::GENESIS);
                let end = Record::height_key(below);
                table.retain_in(&*lowest..&*end, |_, _| false)?;
            }
            Ok(())
        })
    }

    /// Stores evidence durably, unless it is known already or there is enough against the operator.
    /// Returns whether it was stored.
    ///
    /// # Errors
    /// If it may not have become durable.
    pub fn keep_evidence(&self, evidence: &Evidence) -> Result<bool, StoreError> {
        self.evidence_store().keep(evidence)
    }

    /// Returns the stored evidence, oldest first.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn evidence(&self) -> Result<Vec<StoredEvidence>, StoreError> {
        self.evidence_store().read()
    }

    /// Returns a reader of the evidence for use while an operator runs. The store stays in use as long
    /// as the reader exists.
    #[must_use]
    pub fn evidence_store(&self) -> EvidenceStore {
        EvidenceStore {
            database: self.database.clone(),
            path: self.path.clone(),
            federation: self.federation,
        }
    }

    pub(super) fn read<T>(
        &self,
        body: impl FnOnce(&ReadTransaction) -> Result<T, Failure<StoreError>>,
    ) -> Result<T, StoreError> {
        read(
            &self.database,
            |error| StoreError::read(&self.path, &error),
            body,
        )
    }

    pub(super) fn write_transaction<T>(
        &self,
        body: impl FnOnce(&WriteTransaction) -> Result<T, Failure<StoreError>>,
    ) -> Result<T, StoreError> {
        write(
            &self.database,
            |error| StoreError::write(&self.path, &error),
            body,
        )
    }
}

/// Prepends a checksum to a value: CRC-32, 4 bytes, little-endian.
pub(super) fn seal(value: &[u8]) -> Vec<u8> {
    let mut sealed = crc32fast::hash(value).to_le_bytes().to_vec();
    sealed.extend_from_slice(value);
    sealed
}

/// Returns the value if its checksum is right.
pub(super) fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (sum, value) = sealed.split_first_chunk::<4>()?;
    (crc32fast::hash(value).to_le_bytes() == *sum).then_some(value)
}

#[cfg(test)]
mod tests {
    use federation_block_signing::{Vote, VoteKind};
    use federation_chain::{BlockHash, BlockHeight};
    use federation_roster::Round;

    use super::*;

    const ME: OperatorId = OperatorId::new(1);

    fn federation() -> FederationId {
        FederationId::from_bytes([7; 32])
    }

    fn vote(height: u32, round: u32) -> Record {
        Record::Vote(Vote {
            kind: VoteKind::Prevote,
            height: BlockHeight::new(height),
            round: Round::new(round),
            value: Some(BlockHash::from_bytes([3; 32])),
        })
    }

    #[test]
    fn records_survive_reopening_and_lower_heights_can_be_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), federation(), ME).expect("new");
        assert!(store.is_new());
        let final_height = Record::Final(BlockHeight::new(4));
        store
            .write(
                &[vote(5, 0), vote(6, 0), vote(6, 1), final_height.clone()],
                None,
            )
            .expect("written");
        store
            .write(&[vote(6, 1)], Some(BlockHeight::new(6)))
            .expect("written");
        drop(store);
        let store = Store::open(folder.path(), federation(), ME).expect("there");
        assert!(!store.is_new());
        let mut records = store.records().expect("readable");
        records.sort_by_key(Record::key);
        let mut expected = vec![final_height, vote(6, 0), vote(6, 1)];
        expected.sort_by_key(Record::key);
        assert_eq!(records, expected);
    }

    #[test]
    fn records_of_old_rounds_can_be_removed_and_written_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), federation(), ME).expect("new");
        let first: Vec<Record> = (0..20).map(|round| vote(5, round)).collect();
        store.write(&first, None).expect("written");
        let old: Vec<_> = first[..18].iter().map(Record::key).collect();
        store.replace(&[vote(5, 20)], &old, None).expect("written");
        store.write(&[vote(5, 0)], None).expect("written");
        drop(store);
        let store = Store::open(folder.path(), federation(), ME).expect("there");
        let records = store.records().expect("readable");
        assert_eq!(records, [vote(5, 0), vote(5, 18), vote(5, 19), vote(5, 20)]);
    }

    #[test]
    fn a_store_in_use_or_of_another_federation_or_operator_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), federation(), ME).expect("new");
        assert!(matches!(
            Store::open(folder.path(), federation(), ME),
            Err(StoreError::InUse { .. })
        ));
        drop(store);
        let other = FederationId::from_bytes([8; 32]);
        assert!(matches!(
            Store::open(folder.path(), other, ME),
            Err(StoreError::Foreign {
                what: "federation",
                ..
            })
        ));
        assert!(matches!(
            Store::open(folder.path(), federation(), OperatorId::new(2)),
            Err(StoreError::Foreign {
                what: "operator",
                ..
            })
        ));
    }

    #[test]
    fn a_file_that_is_not_a_store_is_refused_and_left_unchanged() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("operator.redb");
        std::fs::write(&path, vec![0x55; 5000]).expect("written");
        assert!(matches!(
            Store::open(folder.path(), federation(), ME),
            Err(StoreError::Damaged { .. })
        ));
        assert_eq!(std::fs::read(&path).expect("there"), vec![0x55; 5000]);
    }

    #[test]
    fn a_changed_value_is_detected() {
        assert_eq!(unseal(&seal(b"value")), Some(&b"value"[..]));
        let mut sealed = seal(b"value");
        sealed[6] ^= 1;
        assert_eq!(unseal(&sealed), None);
        assert_eq!(unseal(&[1, 2]), None);
    }
}
