//! What can be wrong with a store, and what to do.

use std::path::{Path, PathBuf};

use federation_block_signing::DecodeRecordError;

/// Why a store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Its folder cannot be made or synced.
    #[error("the store's folder {} cannot be used: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process has it open.
    #[error("{} is open in another process: stop the other daemon, two with one key are not allowed", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database cannot be opened.
    #[error("{} cannot be read ({reason}): restore the disk if that can be done, but no older store; else see `federation guard repair`, or move the store away and start with --observe", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// It belongs to another federation or operator.
    #[error("{} belongs to another {what} ({found}, this is {expected}): {}", path.display(), cure_of_foreign(what))]
    Foreign {
        /// The database.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the store says.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The key was handed on to another machine.
    #[error("{} was moved away by `guard export` (number {number}): the key signs on another machine now, do not start this one; `guard import` with a record of that machine brings it back", path.display())]
    MovedAway {
        /// The database.
        path: PathBuf,
        /// How often the key was handed on, that time included.
        number: u32,
    },
    /// A copy was imported, since which the key may have signed more.
    #[error("{} holds a copy, since which the key may have signed more: `guard repair` finds out from which height on it may sign", path.display())]
    Unproven {
        /// The database.
        path: PathBuf,
    },
    /// There is none.
    #[error("{} is not there: check `store` in operator.toml, or ask `federation guard repair` if it was lost", path.display())]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// Another version of this program wrote it.
    #[error("{} has format {found}, this program knows {known}: use the version that wrote it, or a newer one", path.display())]
    Format {
        /// The database.
        path: PathBuf,
        /// What the store says.
        found: u8,
        /// What this program knows.
        known: u8,
    },
    /// A record that was altered.
    #[error("{} holds a record that was altered: restore the disk if that can be done, but no older store; else see `federation guard repair`, or move the store away and start with --observe", path.display())]
    Altered {
        /// The database.
        path: PathBuf,
    },
    /// A record of another version.
    #[error("{} holds a record that this program cannot read", path.display())]
    Record {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeRecordError,
    },
    /// A write that may not have become durable.
    #[error("writing {} failed: {reason}; is the disk full?", path.display())]
    Write {
        /// The database.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// A write that was interrupted, so that nobody knows whether it is durable.
    #[error("a write to the store was interrupted: {0}")]
    Interrupted(String),
}

/// What to do with a store of another owner.
fn cure_of_foreign(what: &str) -> &'static str {
    if what == "federation" {
        "give each operator of each federation a store of its own; if the roster was changed, see `federation guard repair --new-roster`"
    } else {
        "give each operator of each federation a store of its own"
    }
}

impl StoreError {
    pub(super) fn write(path: &Path, error: &dyn core::error::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(super) fn damaged(path: &Path, error: &dyn core::error::Error) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}
