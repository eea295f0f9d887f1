//! Transactions of a database, with one place where its errors are converted.

use redb::{
    Database, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError,
    TransactionError, Value, WriteTransaction,
};

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum Failure<E> {
    /// The database failed.
    Database(redb::Error),
    /// The content is not acceptable.
    Content(E),
}

impl<E, D: Into<redb::Error>> From<D> for Failure<E> {
    fn from(error: D) -> Self {
        Self::Database(error.into())
    }
}

impl<E> Failure<E> {
    fn into_error(self, failed: impl FnOnce(redb::Error) -> E) -> E {
        match self {
            Self::Database(error) => failed(error),
            Self::Content(error) => error,
        }
    }
}

/// Reads from a database; `failed` converts its errors.
pub(super) fn read<T, E>(
    database: &Database,
    failed: impl FnOnce(redb::Error) -> E,
    body: impl FnOnce(&ReadTransaction) -> Result<T, Failure<E>>,
) -> Result<T, E> {
    let run = || body(&database.begin_read()?);
    run().map_err(|failure| failure.into_error(failed))
}

/// Opens a table; `None` if nothing was ever written to it.
pub(super) fn table<K: Key, V: Value>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, TableError> {
    match transaction.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes to a database atomically, and durably when it returns; `failed` converts its errors.
pub(super) fn write<T, E>(
    database: &Database,
    failed: impl FnOnce(redb::Error) -> E,
    body: impl FnOnce(&WriteTransaction) -> Result<T, Failure<E>>,
) -> Result<T, E> {
    write_if(database, failed, |transaction| {
        body(transaction).map(|value| (value, Change::Commit))
    })
}

/// Whether a write changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It did, so it is committed.
    Commit,
    /// It did not, so it is dropped.
    Nothing,
}

/// Writes like [`write`], unless there is nothing to change.
pub(super) fn write_if<T, E>(
    database: &Database,
    failed: impl FnOnce(redb::Error) -> E,
    body: impl FnOnce(&WriteTransaction) -> Result<(T, Change), Failure<E>>,
) -> Result<T, E> {
    let run = || {
        let transaction = begin_write(database)?;
        let (value, change) = body(&transaction)?;
        if change == Change::Commit {
            transaction.commit()?;
        }
        Ok(value)
    };
    run().map_err(|failure: Failure<E>| failure.into_error(failed))
}

/// Begins a write whose commit is durable when it returns.
///
/// Commits are in two phases: a one-phase commit is valid if its checksum is, so damage to the newest
/// one, in a file that was not closed, would pass for a write that was never finished.
pub(super) fn begin_write(database: &Database) -> Result<WriteTransaction, TransactionError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

#[cfg(test)]
mod tests {
    use redb::StorageError;

    use super::*;

    const TABLE: TableDefinition<'_, u8, u8> = TableDefinition::new("table");

    fn database() -> Database {
        Database::builder()
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .expect("in memory")
    }

    fn set(
        database: &Database,
        value: u8,
        outcome: Result<Change, Failure<String>>,
    ) -> Result<(), String> {
        write_if(
            database,
            |error| error.to_string(),
            |transaction| {
                transaction.open_table(TABLE)?.insert(0, value)?;
                outcome.map(|change| ((), change))
            },
        )
    }

    fn get(database: &Database) -> Option<u8> {
        read(
            database,
            |error| panic!("{error}"),
            |transaction| {
                let Some(table) = table(transaction, TABLE)? else {
                    return Ok(None);
                };
                Ok(table.get(0)?.map(|found| found.value()))
            },
        )
        .unwrap_or_else(|never: ()| panic!("{never:?}"))
    }

    #[test]
    fn only_a_committed_write_changes_anything() {
        let database = database();
        assert_eq!(get(&database), None, "there is no table yet");
        assert_eq!(set(&database, 1, Ok(Change::Nothing)), Ok(()));
        assert_eq!(get(&database), None);
        assert_eq!(set(&database, 2, Ok(Change::Commit)), Ok(()));
        assert_eq!(get(&database), Some(2));
    }

    #[test]
    fn a_failed_write_changes_nothing_and_keeps_its_error() {
        let database = database();
        assert_eq!(set(&database, 1, Ok(Change::Commit)), Ok(()));
        let content = Failure::Content("not acceptable".to_owned());
        let failed = set(&database, 2, Err(content));
        assert_eq!(failed, Err("not acceptable".to_owned()));
        let storage = StorageError::Corrupted("a page".to_owned());
        let failed = set(&database, 2, Err(storage.into())).expect_err("it failed");
        assert!(failed.contains("a page"), "{failed}");
        assert_eq!(get(&database), Some(1));
    }
}
