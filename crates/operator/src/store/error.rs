//! What can be wrong with a store, and what to do.

use std::path::{Path, PathBuf};

use federation_block_signing::DecodeRecordError;
use federation_signer::SystemFault;

use super::cause::Cause;

/// Why a store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refuses its folder or a file in it, which says nothing against what is in the file.
    #[error("{} cannot be used: {fault} ({reason}): {}; {}, so leave it where it is", path.display(), fault.cure(), meanwhile(*fault))]
    System {
        /// The folder or the database.
        path: PathBuf,
        /// What is the matter.
        fault: SystemFault,
        /// What the system said, and whose the file is.
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
    /// A newer version of this program wrote something that this one does not know.
    #[error("{} holds {what}, which this program does not know: it was written by a newer version; use that one, or a newer one, and leave the store where it is", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// What it holds.
        what: String,
    },
    /// A record that was altered.
    #[error("{} holds a record that was altered: restore the disk if that can be done, but no older store; else see `federation guard repair`, or move the store away and start with --observe", path.display())]
    Altered {
        /// The database.
        path: PathBuf,
    },
    /// A record of another version.
    #[error("{} holds a record that this program cannot read: use the version that wrote it, or a newer one", path.display())]
    Record {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeRecordError,
    },
    /// A write that may not have become durable.
    #[error("writing {} failed: {fault} ({reason}): {}", path.display(), fault.cure())]
    Write {
        /// The database.
        path: PathBuf,
        /// What is the matter.
        fault: SystemFault,
        /// What the database said.
        reason: String,
    },
    /// A write that was interrupted, so that nobody knows whether it is durable.
    #[error("a write to the store was interrupted: {0}")]
    Interrupted(String),
}

/// What is known of a store that the system refuses.
const fn meanwhile(fault: SystemFault) -> &'static str {
    match fault {
        // A disk that does not answer, for one.
        SystemFault::Other => "whether it is whole is seen once that is over",
        _ => "nothing in it is damaged",
    }
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
    /// Whether the store itself is torn or altered, so that it may be moved away: what the system
    /// refuses, what is in use and what is another's is not.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Altered { .. })
    }

    /// A write that failed.
    pub(super) fn write(path: &Path, error: &(dyn core::error::Error + 'static)) -> Self {
        let path = path.to_owned();
        match Cause::of(error) {
            Cause::System(fault, reason) => Self::Write {
                path,
                fault,
                reason,
            },
            Cause::Newer(what) => Self::Newer { path, what },
            Cause::Damage(reason) => Self::Damaged { path, reason },
        }
    }

    /// An opening or a reading that failed.
    pub(super) fn read(path: &Path, error: &(dyn core::error::Error + 'static)) -> Self {
        match Cause::of(error) {
            Cause::System(fault, reason) => Self::System {
                path: path.to_owned(),
                fault,
                reason: with_owner(path, fault, reason),
            },
            Cause::Newer(what) => Self::Newer {
                path: path.to_owned(),
                what,
            },
            Cause::Damage(reason) => Self::Damaged {
                path: path.to_owned(),
                reason,
            },
        }
    }

    /// A folder or a file that the system refuses.
    pub(super) fn system(path: &Path, error: &std::io::Error) -> Self {
        let fault = SystemFault::of(error).unwrap_or(SystemFault::Other);
        Self::System {
            path: path.to_owned(),
            fault,
            reason: with_owner(path, fault, error.to_string()),
        }
    }
}

/// Adds whose a file is that this user may not use, as far as the system says.
fn with_owner(path: &Path, fault: SystemFault, reason: String) -> String {
    if fault != SystemFault::NotAllowed {
        return reason;
    }
    // A folder that may not be entered says nothing of what is in it, but of itself.
    let known = path.ancestors().find_map(|at| Some((at, owner(at)?)));
    match known {
        Some((at, (owner, mode))) if at == path => {
            format!("{reason}; user {owner} owns it, mode {mode:03o}")
        }
        Some((at, (owner, mode))) => {
            format!(
                "{reason}; user {owner} owns {}, mode {mode:03o}",
                at.display()
            )
        }
        None => reason,
    }
}

#[cfg(unix)]
fn owner(path: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata().ok()?;
    Some((metadata.uid(), metadata.mode() & 0o777))
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<(u32, u32)> {
    None
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_disk_that_does_not_answer_is_neither_called_damage_nor_whole() {
        let path = Path::new("store/operator.redb");
        let failed = StoreError::read(path, &io::Error::from_raw_os_error(5));
        assert!(!failed.is_damage(), "{failed:?}");
        let said = failed.to_string();
        for part in [
            "the system refuses it",
            "system's log",
            "whether it is whole",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        for wrong in ["nothing in it is damaged", "move the store away"] {
            assert!(!said.contains(wrong), "{said}");
        }
        let torn = StoreError::read(path, &io::Error::from(io::ErrorKind::UnexpectedEof));
        assert!(torn.is_damage() && torn.to_string().contains("move the store away"));
    }
}
