//! The guard's file: one line of JSON and its checksum, replaced atomically and synced.
//!
//! One record is enough, since the rule only compares with the last one. A lock file next to it keeps
//! out a second process with the same key.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use federation_chain::BlockHash;
use federation_files::{Access, create_private_folder};
use federation_signer::SystemFault;
use serde::{Deserialize, Serialize};

use crate::TurnState;

/// The file's name in the store.
const NAME: &str = "classic.guard";
/// The lock file's name.
const LOCK: &str = "classic.lock";
/// Size limit of the file, in bytes.
const MAX_FILE: u64 = 4096;
/// The format version that this program reads and writes.
const FORMAT: u64 = 1;

/// Why the guard's file cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GuardFileError {
    /// Another process uses it.
    #[error("{path} is in use: another daemon runs with the same store, stop it first")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// It belongs to another operator or chain.
    #[error("{path} belongs to {found}, this is {expected}: use this operator's own --store")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        found: String,
        /// This operator.
        expected: String,
    },
    /// Its content is damaged.
    #[error(
        "{path} is damaged ({reason}): wait for a block above the last one this operator signed, then remove the file"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by another version of this program.
    #[error(
        "{path} has format {found}, expected {FORMAT}: use the version that wrote it, or a newer one, and keep the file"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
    /// The system refused. The file's content is unchanged.
    #[error("cannot use {path}: {fault} ({reason}): {}", fault.cure())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// The kind of fault.
        fault: SystemFault,
        /// The system's error.
        reason: String,
    },
}

impl GuardFileError {
    fn system(path: &Path, error: &std::io::Error) -> Self {
        Self::System {
            path: path.to_owned(),
            fault: SystemFault::of(error).unwrap_or(SystemFault::Other),
            reason: error.to_string(),
        }
    }

    fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// Creates the error for a write whose result is unknown.
    pub(crate) fn interrupted(error: &dyn core::fmt::Display) -> Self {
        Self::System {
            path: NAME.into(),
            fault: SystemFault::Other,
            reason: error.to_string(),
        }
    }
}

/// The guard's file, open and locked.
#[derive(Debug)]
pub struct GuardFile {
    folder: PathBuf,
    owner: String,
    state: TurnState,
    is_new: bool,
    /// Holds the lock until it is dropped.
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Content {
    format: u64,
    owner: String,
    state: TurnState,
}

/// The part of the content that all versions share.
#[derive(Deserialize)]
struct Head {
    format: u64,
}

impl GuardFile {
    /// Opens the file in a folder, creating it if missing, for the operator with this index on the
    /// chain with this genesis.
    ///
    /// # Errors
    /// If it is in use, belongs to another operator or chain, is damaged, has another format version,
    /// or cannot be accessed.
    pub fn open(
        folder: &Path,
        genesis: BlockHash,
        operator: usize,
    ) -> Result<Self, GuardFileError> {
        create_private_folder(folder).map_err(|error| GuardFileError::system(folder, &error))?;
        let lock = lock(&folder.join(LOCK))?;
        let owner = format!("operator {operator} of chain {genesis}");
        let path = folder.join(NAME);
        let found = read(&path)?;
        if let Some(content) = &found
            && content.owner != owner
        {
            return Err(GuardFileError::Foreign {
                path,
                found: content.owner.clone(),
                expected: owner,
            });
        }
        let mut file = Self {
            folder: folder.to_owned(),
            owner,
            is_new: found.is_none(),
            state: found.map(|content| content.state).unwrap_or_default(),
            _lock: lock,
        };
        if file.is_new {
            file.write(file.state)?;
        }
        Ok(file)
    }

    /// Whether the file did not exist before.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns the state it contained when it was opened.
    #[must_use]
    pub const fn state(&self) -> TurnState {
        self.state
    }

    /// Replaces its content; durable on return.
    pub(crate) fn write(&mut self, state: TurnState) -> Result<(), GuardFileError> {
        let path = self.folder.join(NAME);
        let content = Content {
            format: FORMAT,
            owner: self.owner.clone(),
            state,
        };
        let write = || -> std::io::Result<()> {
            let json = serde_json::to_string(&content)?;
            let sum = crc32fast::hash(json.as_bytes());
            let text = format!("{json}\n{sum:08x}\n");
            federation_files::replace(&path, text.as_bytes(), Access::Umask)
        };
        write().map_err(|error| GuardFileError::system(&path, &error))
    }
}

fn read(path: &Path) -> Result<Option<Content>, GuardFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(GuardFileError::system(path, &error)),
    };
    let mut text = String::new();
    file.take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(|error| match SystemFault::of(&error) {
            Some(_) => GuardFileError::system(path, &error),
            None => GuardFileError::damaged(path, error.to_string()),
        })?;
    let (json, sum) = text
        .strip_suffix('\n')
        .and_then(|text| text.split_once('\n'))
        .ok_or_else(|| GuardFileError::damaged(path, "it does not have two lines"))?;
    if sum != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err(GuardFileError::damaged(path, "its checksum does not match"));
    }
    // Check the version first: the rest may differ in another version.
    let head: Head = serde_json::from_str(json)
        .map_err(|error| GuardFileError::damaged(path, error.to_string()))?;
    if head.format != FORMAT {
        return Err(GuardFileError::Format {
            path: path.to_owned(),
            found: head.format,
        });
    }
    serde_json::from_str(json)
        .map(Some)
        .map_err(|error| GuardFileError::damaged(path, error.to_string()))
}

/// Takes the lock, which the system releases when the process ends in any way.
fn lock(path: &Path) -> Result<File, GuardFileError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| GuardFileError::system(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(GuardFileError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(GuardFileError::system(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use federation_chain::{BlockHeight, UnixTime};

    use super::*;
    use crate::{TurnGuard, TurnGuardError, TurnRecord};

    const GENESIS: BlockHash = BlockHash::from_bytes([1; 32]);

    const fn record(turn: u64, hash: u8) -> TurnRecord {
        TurnRecord {
            height: BlockHeight::new(7),
            turn: UnixTime::from_secs(turn),
            hash: BlockHash::from_bytes([hash; 32]),
        }
    }

    #[tokio::test]
    async fn the_record_survives_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = GuardFile::open(folder.path(), GENESIS, 2).expect("new");
        assert!(file.is_new());
        let guard = TurnGuard::new(file);
        guard.admit(record(60, 1)).await.expect("first");
        drop(guard);
        let file = GuardFile::open(folder.path(), GENESIS, 2).expect("it exists");
        assert!(!file.is_new());
        let guard = TurnGuard::new(file);
        assert!(matches!(
            guard.admit(record(60, 2)).await,
            Err(TurnGuardError::SameTurn { .. })
        ));
        guard.admit(record(120, 2)).await.expect("another turn");
        guard.hand_over(BlockHeight::new(8)).await.expect("durable");
        drop(guard);
        let file = GuardFile::open(folder.path(), GENESIS, 2).expect("it exists");
        assert_eq!(file.state().last(), Some(record(120, 2)));
        assert_eq!(file.state().agreed_from(), Some(BlockHeight::new(8)));
    }

    #[test]
    fn a_second_process_another_operator_and_another_chain_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = GuardFile::open(folder.path(), GENESIS, 2).expect("new");
        file.write(TurnState::default()).expect("written");
        assert!(matches!(
            GuardFile::open(folder.path(), GENESIS, 2),
            Err(GuardFileError::InUse { .. })
        ));
        drop(file);
        assert!(matches!(
            GuardFile::open(folder.path(), GENESIS, 3),
            Err(GuardFileError::Foreign { .. })
        ));
        assert!(matches!(
            GuardFile::open(folder.path(), BlockHash::from_bytes([2; 32]), 2),
            Err(GuardFileError::Foreign { .. })
        ));
    }

    #[tokio::test]
    async fn a_file_with_any_byte_changed_or_missing_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let guard = TurnGuard::new(GuardFile::open(folder.path(), GENESIS, 2).expect("new"));
        guard.admit(record(60, 1)).await.expect("written");
        drop(guard);
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).expect("it exists");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).expect("written");
            let opened = GuardFile::open(folder.path(), GENESIS, 2);
            assert!(
                matches!(opened, Err(GuardFileError::Damaged { .. })),
                "{at}"
            );
            std::fs::write(&path, &whole[..at]).expect("written");
            assert!(GuardFile::open(folder.path(), GENESIS, 2).is_err(), "{at}");
        }
    }

    #[test]
    fn a_file_of_a_newer_version_is_not_called_damaged_and_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(GuardFile::open(folder.path(), GENESIS, 2).expect("new"));
        let path = folder.path().join(NAME);
        let own = std::fs::read_to_string(&path).expect("it exists");
        let own = own.lines().next().expect("a line");
        let newer = own.replace("\"format\":1", "\"format\":2");
        assert_ne!(newer, own);
        for json in [&newer, "{\"format\":300,\"turns\":[]}"] {
            let content = format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()));
            std::fs::write(&path, &content).expect("written");
            let error = GuardFile::open(folder.path(), GENESIS, 2).expect_err("refused");
            assert!(matches!(error, GuardFileError::Format { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("the version that wrote it"), "{text}");
            for wrong in ["damaged", "remove"] {
                assert!(!text.contains(wrong), "{text}");
            }
            assert_eq!(std::fs::read_to_string(&path).expect("it exists"), content);
        }
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let guard = TurnGuard::new(GuardFile::open(folder.path(), GENESIS, 2).expect("new"));
        // A folder cannot be replaced by a file.
        let path = folder.path().join("classic.guard");
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("created");
        assert!(matches!(
            guard.admit(record(60, 1)).await,
            Err(TurnGuardError::File(GuardFileError::System { .. }))
        ));
    }
}
