//! The errors of stores, and what to do about them.

use std::path::{Path, PathBuf};

use federation_block_signing::DecodeRecordError;
use federation_signer::SystemFault;

use super::cause::Cause;

/// Why a store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refuses access to its folder or a file in it, which does not mean damage.
    #[error("{} cannot be used: {fault} ({reason}): {}; {}, so leave it where it is", path.display(), fault.cure(), condition(*fault))]
    System {
        /// The folder or the database.
        path: PathBuf,
        /// The kind of fault.
        fault: SystemFault,
        /// The system's error, and the file's owner if it matters.
        reason: String,
    },
    /// Another process has it open.
    #[error("{} is open in another process: stop the other daemon; never run two with one key", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database cannot be opened.
    #[error("{} cannot be read ({reason}): restore the disk if possible, but never an older store; otherwise see `federation guard repair`, or move the store away and start with --observe", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// The database's error.
        reason: String,
    },
    /// It belongs to another federation or operator.
    #[error("{} belongs to another {what} ({found}, expected {expected}): {}", path.display(), foreign_help(what))]
    Foreign {
        /// The database.
        path: PathBuf,
        /// The part of its identity that differs.
        what: &'static str,
        /// The store's value.
        found: String,
        /// The expected value.
        expected: String,
    },
    /// The key was moved to another machine.
    #[error("{} was moved away by `guard export` (number {number}): the key signs on another machine now, do not start this one; to bring it back, `guard import` a record of that machine", path.display())]
    MovedAway {
        /// The database.
        path: PathBuf,
        /// How often the key was moved, including this time.
        number: u32,
    },
    /// It is an imported copy, and the key may have signed more since.
    #[error("{} holds a copy, and the key may have signed more since: `guard repair` finds the height from which it may sign", path.display())]
    Unproven {
        /// The database.
        path: PathBuf,
    },
    /// It does not exist.
    #[error("{} does not exist: check `store` in operator.toml, or use `federation guard repair` if it was lost", path.display())]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// Another version of this program wrote it.
    #[error("{} has format {found}, this program supports {known}: use the version that wrote it, or a newer one", path.display())]
    Format {
        /// The database.
        path: PathBuf,
        /// The store's format.
        found: u8,
        /// The format that this program supports.
        known: u8,
    },
    /// It holds data of a newer version of this program.
    #[error("{} holds {what}, which this program does not know: it was written by a newer version; use that one, or a newer one, and leave the store where it is", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The unknown data.
        what: String,
    },
    /// A record that was altered.
    #[error("{} holds a record that was altered: restore the disk if possible, but never an older store; otherwise see `federation guard repair`, or move the store away and start with --observe", path.display())]
    Altered {
        /// The database.
        path: PathBuf,
    },
    /// A record of another version.
    #[error("{} holds a record that this program cannot read: use the version that wrote it, or a newer one", path.display())]
    Record {
        /// The database.
        path: PathBuf,
        /// The error of the record's decoder.
        #[source]
        source: DecodeRecordError,
    },
    /// A write that may not have become durable.
    #[error("writing {} failed: {fault} ({reason}): {}", path.display(), fault.cure())]
    Write {
        /// The database.
        path: PathBuf,
        /// The kind of fault.
        fault: SystemFault,
        /// The database's error.
        reason: String,
    },
    /// A write that was interrupted, so that it may or may not be durable.
    #[error("a write to the store was interrupted: {0}")]
    Interrupted(String),
}

/// Returns what is known about the condition of a store that the system refuses access to.
const fn condition(fault: SystemFault) -> &'static str {
    match fault {
        // A disk that does not respond, for example.
        SystemFault::Other => "whether it is intact can be checked once that is fixed",
        _ => "nothing in it is damaged",
    }
}

/// Returns the help for a store of another owner.
fn foreign_help(what: &str) -> &'static str {
    if what == "federation" {
        "use a separate store for each operator of each federation; if the roster was changed, see `federation guard repair --new-roster`"
    } else {
        "use a separate store for each operator of each federation"
    }
}

impl StoreError {
    /// Returns whether the store itself is torn or altered, so that it may be moved away. A store that
    /// the system refuses, that is in use or that belongs to another owner is not damaged.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Altered { .. })
    }

    /// Returns the error for a failed write.
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

    /// Returns the error for a failed open or read.
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

    /// Returns the error for a folder or file that the system refuses access to.
    pub(super) fn system(path: &Path, error: &std::io::Error) -> Self {
        let fault = SystemFault::of(error).unwrap_or(SystemFault::Other);
        Self::System {
            path: path.to_owned(),
            fault,
            reason: with_owner(path, fault, error.to_string()),
        }
    }
}

/// Adds the owner of a file that this user may not access, as far as the system tells.
fn with_owner(path: &Path, fault: SystemFault, reason: String) -> String {
    if fault != SystemFault::NotAllowed {
        return reason;
    }
    // The metadata of a file in an inaccessible folder is hidden, but that of the folder is not.
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
    fn a_disk_that_does_not_respond_is_reported_neither_as_damaged_nor_as_intact() {
        let path = Path::new("store/operator.redb");
        let failed = StoreError::read(path, &io::Error::from_raw_os_error(5));
        assert!(!failed.is_damage(), "{failed:?}");
        let text = failed.to_string();
        for part in [
            "the system refuses it",
            "system's log",
            "whether it is intact",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for wrong in ["nothing in it is damaged", "move the store away"] {
            assert!(!text.contains(wrong), "{text}");
        }
        let torn = StoreError::read(path, &io::Error::from(io::ErrorKind::UnexpectedEof));
        assert!(torn.is_damage() && torn.to_string().contains("move the store away"));
    }
}
