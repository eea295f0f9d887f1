//! Paths, replacement and reading of the files.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::StatusReport;

/// The name of the status file in the store's folder.
pub(super) const STATUS: &str = "status.json";
/// The name of the evidence file in the store's folder.
pub(super) const EVIDENCE: &str = "evidence.json";

/// The limit for reading either file, in bytes; real files are much smaller.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Why a status file cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// An error of the operating system.
    #[error("{} cannot be used: {reason}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The file was not written by a daemon of this version.
    #[error("{} was not written by a daemon of this version ({reason}): remove it, the daemon will write it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

fn system(path: &Path, error: &std::io::Error) -> StatusError {
    StatusError::System {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Replaces a file atomically, so that a reader finds either the old or the new content. The file
/// is not synced: after a power failure the next daemon writes it again.
pub(super) fn replace(
    folder: &Path,
    name: &str,
    value: &impl Serialize,
) -> Result<(), StatusError> {
    let path = folder.join(name);
    let new = folder.join(format!("{name}.new"));
    let text = serde_json::to_vec(value).map_err(|error| StatusError::Malformed {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, &path))
        .map_err(|error| system(&path, &error))
}

/// Reads a file if it exists.
pub(super) fn read<T: DeserializeOwned>(
    folder: &Path,
    name: &str,
) -> Result<Option<T>, StatusError> {
    let path = folder.join(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(system(&path, &error)),
    };
    let mut text = Vec::new();
    file.take(MAX_FILE)
        .read_to_end(&mut text)
        .map_err(|error| system(&path, &error))?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| StatusError::Malformed {
            path,
            reason: error.to_string(),
        })
}

/// Reads the status that the daemon of a store last wrote; none if it never ran.
///
/// # Errors
/// If the file cannot be read or has another format.
pub fn read_status(folder: &Path) -> Result<Option<StatusReport>, StatusError> {
    let report: Option<StatusReport> = read(folder, STATUS)?;
    match report {
        Some(report) if report.format != StatusReport::FORMAT => Err(StatusError::Malformed {
            path: folder.join(STATUS),
            reason: format!("it has format {}", report.format),
        }),
        report => Ok(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_none_and_one_in_another_format_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read_status(folder.path()), Ok(None));
        for text in ["", "{}", "[1, 2", "{\"format\":1}"] {
            std::fs::write(folder.path().join(STATUS), text).expect("written");
            let result = read_status(folder.path());
            assert!(
                matches!(result, Err(StatusError::Malformed { .. })),
                "{result:?}"
            );
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        for value in ["first", "second"] {
            replace(folder.path(), "x.json", &value).expect("written");
            let read: Option<String> = read(folder.path(), "x.json").expect("readable");
            assert_eq!(read.as_deref(), Some(value));
        }
        let names = std::fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(names, 1, "no other file remains");
    }
}
