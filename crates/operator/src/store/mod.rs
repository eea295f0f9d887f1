//! What an operator must not forget, in two embedded databases in one folder.
//!
//! `operator.redb` holds the protocol's records and the evidence, `guard.redb` what the key has
//! signed. They are apart because the guard goes with the key.

mod error;
mod guard;
mod records;

pub use error::StoreError;
pub use guard::RedbGuardStore;
pub use records::{Store, StoredEvidence};

use std::path::Path;

use redb::{Database, DatabaseError};

/// Memory for pages of each database: the records of a few heights fit many times over.
const CACHE_BYTES: usize = 256 * 1024;

/// The format of the databases that this version writes and reads.
const FORMAT: u8 = 1;

/// Opens or makes a database; another process that has it open is an error of its own.
fn open(path: &Path) -> Result<Database, StoreError> {
    Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create(path)
        .map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse {
                path: path.to_owned(),
            },
            other => StoreError::Damaged {
                path: path.to_owned(),
                reason: other.to_string(),
            },
        })
}

/// Makes the folder, for its owner only, and makes its own entry durable.
fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let io = |source: std::io::Error| StoreError::Folder {
        path: folder.to_owned(),
        reason: source.to_string(),
    };
    if !folder.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(io)?;
        if let Some(parent) = folder.parent().filter(|parent| parent.is_dir()) {
            sync_folder(parent)?;
        }
    }
    Ok(())
}

/// Makes the names in a folder durable: a synced file in an unsynced folder can be lost.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::Folder {
            path: folder.to_owned(),
            reason: error.to_string(),
        })
}

/// A value behind its checksum: CRC-32 (4 bytes, little-endian), then the value.
fn seal(value: &[u8]) -> Vec<u8> {
    let mut sealed = crc32fast::hash(value).to_le_bytes().to_vec();
    sealed.extend_from_slice(value);
    sealed
}

/// The value, if its checksum is right.
fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (sum, value) = sealed.split_first_chunk::<4>()?;
    (crc32fast::hash(value).to_le_bytes() == *sum).then_some(value)
}
