//! Reads of files of limited size.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refuses it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is larger than the limit.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Reads a file of at most `limit` bytes; of a larger one, no more than that is held in memory.
///
/// # Errors
/// [`ReadError`]
pub fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let too_large = read_into(File::open(path)?, limit, &mut bytes)?;
    if too_large {
        return Err(ReadError::TooLarge { limit });
    }
    Ok(bytes)
}

/// Reads at most one byte more than the limit, and returns whether there was one.
pub(crate) fn read_into(source: impl Read, limit: usize, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    source.take(most).read_to_end(bytes)?;
    Ok(bytes.len() > limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_up_to_the_limit_is_read_and_a_larger_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for (length, limit, is_read) in [(0, 0, true), (5, 5, true), (6, 5, false), (1, 0, false)] {
            std::fs::write(&path, vec![7; length]).expect("written");
            let read = read_bounded(&path, limit);
            assert_eq!(read.is_ok(), is_read, "{length} of {limit}: {read:?}");
            if !is_read {
                assert!(
                    matches!(read, Err(ReadError::TooLarge { limit: found }) if found == limit)
                );
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_endless_source_is_refused() {
        let read = read_bounded(Path::new("/dev/zero"), 1000);
        assert!(matches!(read, Err(ReadError::TooLarge { limit: 1000 })));
    }

    #[test]
    fn a_missing_file_is_an_error_of_the_system() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = read_bounded(&folder.path().join("none"), 5);
        assert!(
            matches!(&read, Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound),
            "{read:?}"
        );
    }
}
