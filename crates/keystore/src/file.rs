//! Reads and writes keystore files.

use std::{io, path::Path, sync::Arc};

use federation_files::{Access, PrivateFileError};
use federation_signer::{KeyRole, Secret};

use crate::{
    Head, KeystoreError, Passphrase, WorkFactor,
    format::{decrypt, encrypt},
};

/// The maximum size of a file in bytes; ours have about 600.
const MAX_BYTES: usize = 16 * 1024;

/// Writes a secret key to a new file.
///
/// # Errors
/// [`KeystoreError::Exists`] if the file exists; otherwise see [`KeystoreError`].
pub fn create(
    path: &Path,
    role: KeyRole,
    secret: &Secret,
    passphrase: &Passphrase,
    factor: WorkFactor,
) -> Result<Head, KeystoreError> {
    // Checked first, because the encryption takes half a second.
    if path.symlink_metadata().is_ok() {
        return Err(KeystoreError::Exists(path.to_owned()));
    }
    let head = Head::new(role, secret.public_key());
    let text = encrypt(&head, secret, passphrase, factor)?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeystoreError::Exists(path.to_owned()),
        _ => io_error(path, "written", error),
    };
    federation_files::create(path, text.as_bytes(), Access::Owner).map_err(failed)?;
    Ok(head)
}

/// Opens a file and returns its header and its key.
///
/// # Errors
/// See [`KeystoreError`].
pub fn open(path: &Path, passphrase: &Passphrase) -> Result<(Head, Secret), KeystoreError> {
    decrypt(path, &read_text(path)?, passphrase)
}

/// Opens a file that must hold the key of a role.
///
/// # Errors
/// [`KeystoreError::OtherRole`] if its key has another role; otherwise see [`KeystoreError`].
pub fn open_as(
    path: &Path,
    role: KeyRole,
    passphrase: &Passphrase,
) -> Result<Secret, KeystoreError> {
    let (head, secret) = open(path, passphrase)?;
    if head.role() == role {
        return Ok(secret);
    }
    Err(KeystoreError::OtherRole {
        path: path.to_owned(),
        expected: role,
        found: head.role(),
    })
}

/// Returns a file's header in clear text. It may have been altered; [`open`] verifies it.
///
/// # Errors
/// See [`KeystoreError`].
pub fn read_head(path: &Path) -> Result<Head, KeystoreError> {
    let text = read_text(path)?;
    Head::parse(&text)
        .map(|(head, _)| head)
        .map_err(|reason| KeystoreError::Format {
            path: path.to_owned(),
            reason,
        })
}

/// Returns whether a file is a keystore, as opposed to a plain key file.
#[must_use]
pub fn is_keystore(path: &Path) -> bool {
    read_head(path).is_ok()
}

/// Changes the pass phrase of a file. The file is replaced atomically: a crash leaves either the old
/// or the new one.
///
/// # Errors
/// See [`KeystoreError`]; the file is then unchanged, unless the disk fails as its folder is synced.
pub fn change_passphrase(
    path: &Path,
    old: &Passphrase,
    new: &Passphrase,
    factor: WorkFactor,
) -> Result<Head, KeystoreError> {
    let (head, secret) = open(path, old)?;
    let text = encrypt(&head, &secret, new, factor)?;
    federation_files::replace(path, text.as_bytes(), Access::Owner)
        .map_err(|error| io_error(path, "written", error))?;
    Ok(head)
}

fn io_error(path: &Path, action: &'static str, error: io::Error) -> KeystoreError {
    KeystoreError::Io {
        path: path.to_owned(),
        action,
        source: Arc::new(error),
    }
}

fn read_text(path: &Path) -> Result<String, KeystoreError> {
    let format = |reason| KeystoreError::Format {
        path: path.to_owned(),
        reason,
    };
    let mut bytes =
        federation_files::read_private(path, MAX_BYTES).map_err(|error| match error {
            PrivateFileError::NotAFile => KeystoreError::NotAFile(path.to_owned()),
            PrivateFileError::OpenToOthers { mode } => KeystoreError::OpenToOthers {
                path: path.to_owned(),
                mode,
            },
            PrivateFileError::TooLarge { .. } => format("it is too large"),
            PrivateFileError::Io(error) => io_error(path, "read", error),
            other => io_error(path, "read", io::Error::other(other)),
        })?;
    String::from_utf8(core::mem::take(&mut *bytes)).map_err(|_| format("it is not UTF-8"))
}

#[cfg(test)]
mod tests;
