//! Opens databases: for one process at a time, intact, and of the right owner.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use federation_files::{create_private_folder, sync_folder};
use hex_conservative::DisplayHex;
use redb::{Database, DatabaseError, ReadableTable, TableDefinition};

use super::{
    StoreError,
    transaction::{Change, Failure, read, table, write, write_if},
};

/// The page cache of each database, many times the size of the records of a few heights.
const CACHE_BYTES: usize = 256 * 1024;

/// The format of the databases that this version writes and reads.
pub(super) const FORMAT: u8 = 1;

/// The database's format and owner.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Set once damage was found: the library may repair a file by returning to an older state, which
/// must never happen unnoticed.
const DAMAGED: &str = "damaged";

/// How often, and after which pause, to retry a database in use: a daemon that was stopped a moment
/// ago may still be closing it.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// An open database of the right owner.
pub(super) struct OpenDatabase {
    pub(super) database: Database,
    /// Whether it was empty.
    pub(super) is_new: bool,
}

/// Opens or creates a database of this owner and of the format of this version.
pub(super) fn open(
    folder: &Path,
    name: &str,
    owner: &[(&'static str, &[u8])],
) -> Result<OpenDatabase, StoreError> {
    create_private_folder(folder).map_err(|error| StoreError::system(folder, &error))?;
    let path = folder.join(name);
    let existed = exists(&path)? || !create_empty(&path)?;
    // The library trusts lengths and offsets in its pages, so an altered file can make it panic before
    // it verifies checksums.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let mut database = create(&path)?;
        if existed {
            check_integrity(&mut database, &path)?;
        }
        let is_new = check_owner(&database, &path, owner)?;
        Ok(OpenDatabase { database, is_new })
    }))
    .unwrap_or_else(|_| Err(damaged(&path, "its pages are invalid")));
    if existed {
        return opened;
    }
    let created = opened.and_then(|opened| {
        sync_folder(folder).map_err(|error| StoreError::system(folder, &error))?;
        Ok(opened)
    });
    if let Err(StoreError::System { .. } | StoreError::Write { .. }) = created {
        // It never held data, and a partly created database would be reported as damaged.
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "incomplete new store not removed");
        }
    }
    created
}

/// Creates an empty file. Returns `false` if it was created by another process in the meantime.
fn create_empty(path: &Path) -> Result<bool, StoreError> {
    use std::io::ErrorKind::AlreadyExists;
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::system(path, &error)),
    }
}

fn create(path: &Path) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    let mut tries = 1;
    loop {
        match builder.create(path) {
            Ok(database) => return Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) if tries < TRIES => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                return Err(StoreError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(other) => return Err(StoreError::read(path, &other)),
        }
    }
}

/// Returns whether a file exists.
///
/// # Errors
/// If the system does not tell: a file that cannot be looked up must not pass for a missing one.
pub(super) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists()
        .map_err(|error| StoreError::system(path, &error))
}

/// Reads every page. Incomplete writes after a crash are not damage: they were never acknowledged.
fn check_integrity(database: &mut Database, path: &Path) -> Result<(), StoreError> {
    match database.check_integrity() {
        Ok(true) => {}
        Ok(false) => {
            // If the mark does not become durable, the next start finds the damage itself.
            if let Err(error) = mark_damaged(database) {
                tracing::warn!(%error, "damaged store not marked as damaged");
            }
            return Err(damaged(path, "checksums do not match"));
        }
        Err(error) => return Err(StoreError::read(path, &error)),
    }
    let is_marked = read(
        database,
        |error| StoreError::read(path, &error),
        |transaction| match table(transaction, META)? {
            Some(meta) => Ok(meta.get(DAMAGED)?.is_some()),
            None => Ok(false),
        },
    )?;
    if is_marked {
        return Err(damaged(path, "damage was found at an earlier start"));
    }
    Ok(())
}

fn mark_damaged(database: &Database) -> Result<(), redb::Error> {
    write(database, core::convert::identity, |transaction| {
        transaction.open_table(META)?.insert(DAMAGED, &[1][..])?;
        Ok(())
    })
}

/// Checks format and owner, or writes them if there are none. Returns whether they were written.
fn check_owner(
    database: &Database,
    path: &Path,
    owner: &[(&'static str, &[u8])],
) -> Result<bool, StoreError> {
    write_if(
        database,
        |error| StoreError::write(path, &error),
        |transaction| {
            let mut change = Change::Nothing;
            let mut meta = transaction.open_table(META)?;
            for (name, expected) in [("format", &[FORMAT][..])].iter().chain(owner) {
                let found = meta.get(*name)?.map(|found| found.value().to_vec());
                match found {
                    Some(found) if found == *expected => {}
                    Some(found) => {
                        return Err(Failure::Content(foreign(path, name, &found, expected)));
                    }
                    None => {
                        // A database that was torn during its creation counts as new.
                        change = Change::Commit;
                        meta.insert(*name, *expected)?;
                    }
                }
            }
            Ok((change == Change::Commit, change))
        },
    )
}

/// Changes the owner of a database and keeps its data, whoever owns it now. Returns whether there is a
/// database.
pub(super) fn change_owner(
    folder: &Path,
    name: &str,
    owner: &[(&'static str, &[u8])],
) -> Result<bool, StoreError> {
    let path = folder.join(name);
    if !exists(&path)? {
        return Ok(false);
    }
    catch_unwind(AssertUnwindSafe(|| {
        let mut database = create(&path)?;
        check_integrity(&mut database, &path)?;
        write(
            &database,
            |error| StoreError::write(&path, &error),
            |transaction| {
                let mut meta = transaction.open_table(META)?;
                let format = meta
                    .get("format")?
                    .map(|found| found.value().to_vec())
                    .unwrap_or_default();
                if format != [FORMAT] {
                    let error = foreign(&path, "format", &format, &[FORMAT]);
                    return Err(Failure::Content(error));
                }
                for (name, value) in owner {
                    meta.insert(*name, *value)?;
                }
                Ok(true)
            },
        )
    }))
    .unwrap_or_else(|_| Err(damaged(&path, "its pages are invalid")))
}

fn foreign(path: &Path, what: &'static str, found: &[u8], expected: &[u8]) -> StoreError {
    let path = path.to_owned();
    match what {
        "format" => StoreError::Format {
            path,
            found: found.first().copied().unwrap_or_default(),
            known: FORMAT,
        },
        _ => StoreError::Foreign {
            path,
            what,
            found: found.to_lower_hex_string(),
            expected: expected.to_lower_hex_string(),
        },
    }
}

fn damaged(path: &Path, reason: &str) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::ReadableDatabase;

    use super::{super::transaction::begin_write, *};

    const TABLE: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("table");
    const OWNER: &[(&str, &[u8])] = &[("owner", b"me")];

    fn fill(database: &Database, keys: core::ops::Range<u32>) {
        for key in keys {
            let write = begin_write(database).expect("begins");
            {
                let mut table = write.open_table(TABLE).expect("opens");
                table.insert(key, &[7; 300][..]).expect("inserts");
            }
            write.commit().expect("commits");
        }
    }

    fn count(database: &Database) -> usize {
        let read = database.begin_read().expect("begins");
        let table = read.open_table(TABLE).expect("opens");
        table
            .iter()
            .expect("iterates")
            .collect::<Result<Vec<_>, _>>()
            .expect("reads")
            .len()
    }

    /// Returns the bytes of a database with forty entries, closed or as a crash leaves it.
    fn bytes(closed: bool) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open(folder.path(), "a.redb", OWNER).expect("new");
        fill(&opened.database, 0..40);
        let path = folder.path().join("a.redb");
        if closed {
            drop(opened);
        }
        std::fs::read(path).expect("readable")
    }

    #[test]
    fn a_crash_damages_nothing_and_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.redb"), bytes(false)).expect("written");
        let opened = open(folder.path(), "a.redb", OWNER).expect("it opens");
        assert!(!opened.is_new);
        assert_eq!(count(&opened.database), 40);
    }

    #[test]
    fn a_new_owner_gets_all_data() {
        let folder = tempfile::tempdir().expect("a folder");
        let new_owner: &[(&str, &[u8])] = &[("owner", b"you")];
        let change = || change_owner(folder.path(), "a.redb", new_owner);
        assert_eq!(change(), Ok(false));
        let opened = open(folder.path(), "a.redb", OWNER).expect("new");
        fill(&opened.database, 0..40);
        assert!(matches!(change(), Err(StoreError::InUse { .. })));
        drop(opened);
        assert_eq!(change(), Ok(true));
        let opened = open(folder.path(), "a.redb", new_owner).expect("it opens");
        assert_eq!(count(&opened.database), 40);
        drop(opened);
        let before = open(folder.path(), "a.redb", OWNER).map(|opened| opened.is_new);
        assert!(
            matches!(before, Err(StoreError::Foreign { .. })),
            "{before:?}"
        );
        std::fs::write(folder.path().join("a.redb"), [7; 5000]).expect("written");
        assert!(matches!(change(), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn damage_is_reported_at_each_start() {
        let mut bytes = bytes(true);
        let at = bytes
            .windows(64)
            .position(|window| window == [7; 64])
            .expect("a value");
        bytes[at] ^= 1;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.redb"), bytes).expect("written");
        for _ in 0..2 {
            let result = open(folder.path(), "a.redb", OWNER).map(|opened| opened.is_new);
            assert!(
                matches!(result, Err(StoreError::Damaged { .. })),
                "{result:?}"
            );
        }
    }

    #[test]
    fn an_empty_file_counts_as_new_and_a_cut_one_does_not() {
        let whole = bytes(true);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.redb");
        std::fs::write(&path, []).expect("written");
        assert!(open(folder.path(), "a.redb", OWNER).expect("opens").is_new);
        for part in [1, 2, 3] {
            std::fs::write(&path, &whole[..whole.len() * part / 4]).expect("written");
            assert!(open(folder.path(), "a.redb", OWNER).is_err(), "{part}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_accessible_to_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("one/two");
        drop(open(&deep, "a.redb", OWNER).expect("new"));
        let mode = std::fs::metadata(&deep).expect("there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o700);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// The file opens either with all data or not at all.
        #[test]
        fn a_changed_bit_loses_nothing_silently(
            closed in any::<bool>(),
            at in any::<prop::sample::Index>(),
            bit in 0..8u32,
        ) {
            let mut bytes = bytes(closed);
            let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            bytes[used[at.index(used.len())]] ^= 1 << bit;
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("a.redb"), bytes).expect("written");
            if let Ok(opened) = open(folder.path(), "a.redb", OWNER) {
                prop_assert_eq!(count(&opened.database), 40);
            }
        }
    }
}
