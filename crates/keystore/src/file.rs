//! Reads and writes keystore files.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use federation_signer::{KeyRole, Secret, is_given_by_system};
use tempfile::NamedTempFile;

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
    if path.symlink_metadata().is_ok() {
        return Err(KeystoreError::Exists(path.to_owned()));
    }
    let head = Head::new(role, secret.public_key());
    let text = encrypt(&head, secret, passphrase, factor)?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeystoreError::Exists(path.to_owned()),
        _ => io_error(path, "written", error),
    };
    write_temporary(path, &text)
        .and_then(|file| file.persist_noclobber(path).map_err(|error| error.error))
        .and_then(|_| sync_folder(path))
        .map_err(failed)?;
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
/// See [`KeystoreError`]; the file is then unchanged.
pub fn change_passphrase(
    path: &Path,
    old: &Passphrase,
    new: &Passphrase,
    factor: WorkFactor,
) -> Result<Head, KeystoreError> {
    let (head, secret) = open(path, old)?;
    let text = encrypt(&head, &secret, new, factor)?;
    write_temporary(path, &text)
        .and_then(|file| file.persist(path).map_err(|error| error.error))
        .and_then(|_| sync_folder(path))
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

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Writes a text durably to a temporary file in the same folder; mode 0600 on Unix.
fn write_temporary(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes the new name durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, KeystoreError> {
    let failed = |error| io_error(path, "read", error);
    // Also checked before opening, because opening a pipe blocks until it has a writer.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(KeystoreError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    check_mode(path, &file.metadata().map_err(failed)?)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let format = |reason| KeystoreError::Format {
        path: path.to_owned(),
        reason,
    };
    if bytes.len() > MAX_BYTES {
        return Err(format("it is too large"));
    }
    String::from_utf8(bytes).map_err(|_| format("it is not UTF-8"))
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &std::fs::Metadata) -> Result<(), KeystoreError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 || is_given_by_system(path) {
        return Ok(());
    }
    Err(KeystoreError::OpenToOthers {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::Metadata) -> Result<(), KeystoreError> {
    // Permissions of other systems are not checked.
    Ok(())
}

#[cfg(test)]
mod tests;
