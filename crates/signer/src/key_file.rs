//! Plain key files: one secret key, as hex or WIF, readable only by its owner.
//!
//! The file holds 64 hexadecimal digits or a key in wallet import format, optionally surrounded by
//! white space. On Unix, a file that its group or others may read is refused, unless it is in a
//! folder for secrets of containers or systemd.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use federation_files::{Access, PrivateFileError};
use federation_multisig::Network;
use zeroize::Zeroizing;

use crate::{Secret, SecretError};

/// The maximum size of a key file, in bytes; a key with white space is far smaller.
const MAX_BYTES: usize = 1024;

/// Why a key file could not be read or written. Never shows its content.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be opened, read or written.
    #[error("key file `{}` cannot be {action}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operation: read or written.
        action: &'static str,
        /// The error reported by the system.
        #[source]
        source: Arc<io::Error>,
    },
    /// The path is a folder, a pipe or a device.
    #[error("key file `{}` is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Users other than the owner may read or write the file.
    #[error(
        "key file `{}` is open to others (mode {mode:03o}): run `chmod 600 {}`",
        path.display(), path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The file is too long for a key.
    #[error("key file `{}` is longer than {MAX_BYTES} bytes: expected one key", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file does not contain a key, or one for another chain.
    #[error("key file `{}` does not contain a usable key", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with the content.
        #[source]
        source: SecretError,
    },
    /// The file exists, and keys are never overwritten.
    #[error("key file `{}` exists and is not overwritten: move it away or choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the secret key in a file. The network determines the prefix that a WIF key must have.
///
/// # Errors
/// See [`KeyFileError`].
pub fn read(path: &Path, network: &Network) -> Result<Secret, KeyFileError> {
    let text = read_text(path)?;
    let content = |source| KeyFileError::Content {
        path: path.to_owned(),
        source,
    };
    let text = core::str::from_utf8(&text)
        .map_err(|_| content(SecretError::Hex))?
        .trim_ascii();
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A WIF has 52 characters: anything much longer is most likely a mistyped hex key.
    let secret = if is_hex || text.len() > 60 {
        Secret::from_hex(text)
    } else {
        Secret::from_wif(text, network)
    };
    secret.map_err(content)
}

/// Writes a secret key as hex to a new file that only its owner may read.
///
/// The file appears complete or not at all, and is on disk when this returns.
///
/// # Errors
/// [`KeyFileError::Exists`] if the file exists; otherwise see [`KeyFileError`].
pub fn create(path: &Path, secret: &Secret) -> Result<(), KeyFileError> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return KeyFileError::Exists {
                path: path.to_owned(),
            };
        }
        KeyFileError::Io {
            path: path.to_owned(),
            action: "written",
            source: Arc::new(source),
        }
    };
    // The buffer never grows, so that no copy of the key remains in memory.
    let mut line = Zeroizing::new(Vec::with_capacity(65));
    line.extend_from_slice(secret.to_hex().as_bytes());
    line.push(b'\n');
    federation_files::create(path, &line, Access::Owner).map_err(failed)
}

fn read_text(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    federation_files::read_private(path, MAX_BYTES).map_err(|error| {
        let path = path.to_owned();
        match error {
            PrivateFileError::NotAFile => KeyFileError::NotAFile { path },
            PrivateFileError::OpenToOthers { mode } => KeyFileError::OpenToOthers { path, mode },
            PrivateFileError::TooLarge { .. } => KeyFileError::TooLong { path },
            PrivateFileError::Io(source) => KeyFileError::Io {
                path,
                action: "read",
                source: Arc::new(source),
            },
            other => KeyFileError::Io {
                path,
                action: "read",
                source: Arc::new(io::Error::other(other)),
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use federation_multisig::WifError;

    use super::*;

    /// Creates a folder with a key file of this content, created by `create`.
    fn with_file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("block.key");
        create(&path, &Secret::generate()).expect("a new file");
        fs::write(&path, content).expect("its content");
        (folder, path)
    }

    fn content_error(content: &[u8]) -> SecretError {
        let (_folder, path) = with_file(content);
        match read(&path, &Network::LIQUID) {
            Err(KeyFileError::Content { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_created_file_can_be_read_and_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("block.key");
        let secret = Secret::generate();
        create(&path, &secret).expect("a new file");
        let read_back = read(&path, &Network::OCEAN).expect("our own file");
        assert_eq!(read_back.public_key(), secret.public_key());
        let again = create(&path, &Secret::generate());
        assert!(matches!(again, Err(KeyFileError::Exists { .. })));
        let read_back = read(&path, &Network::OCEAN).expect("our own file");
        assert_eq!(read_back.public_key(), secret.public_key());
        assert_eq!(
            fs::read_dir(folder.path()).expect("a folder").count(),
            1,
            "no half-written file is left behind"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_accessible_to_others_is_refused_with_a_remedy() {
        use std::os::unix::fs::PermissionsExt;

        let (_folder, path) = with_file(b"");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        let created = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(created & 0o777, 0o600);
        fs::write(
            &path,
            *Secret::generate()
                .to_hex()
                .as_bytes()
                .first_chunk::<64>()
                .expect("64"),
        )
        .expect("a key");
        for open in [0o640, 0o604, 0o620, 0o602, 0o660, 0o666] {
            mode(open).expect("our own file");
            let error = read(&path, &Network::LIQUID).expect_err("accessible to others");
            assert_eq!(
                error.to_string(),
                format!(
                    "key file `{0}` is open to others (mode {open:o}): run `chmod 600 {0}`",
                    path.display()
                )
            );
        }
        for closed in [0o600, 0o400] {
            mode(closed).expect("our own file");
            read(&path, &Network::LIQUID).expect("not accessible to others");
        }
    }

    #[test]
    fn hex_and_wif_are_read_with_white_space_around() {
        let secret = Secret::generate();
        let network = Network::OCEAN;
        for text in [secret.to_hex(), secret.to_wif(&network)] {
            let (_folder, path) = with_file(format!("\n {}\r\n\n", *text).as_bytes());
            let read_back = read(&path, &network).expect("a key");
            assert_eq!(read_back.public_key(), secret.public_key());
        }
    }

    #[test]
    fn content_that_is_not_a_key_is_refused_with_its_fault() {
        let wif_of_other = Secret::generate().to_wif(&Network::OCEAN);
        assert_eq!(
            content_error(wif_of_other.as_bytes()),
            SecretError::Wif(WifError::Prefix {
                expected: 128,
                found: 180
            })
        );
        assert_eq!(content_error(b""), SecretError::Wif(WifError::Base58));
        assert_eq!(content_error(&[0xff; 64]), SecretError::Hex);
        assert_eq!(content_error(&[b'1'; 63]), SecretError::Hex);
        assert_eq!(content_error(&[b'0'; 64]), SecretError::OutOfRange);
    }

    #[test]
    fn long_files_folders_and_missing_files_are_refused() {
        let (folder, path) = with_file(&[b'1'; MAX_BYTES + 1]);
        assert!(matches!(
            read(&path, &Network::LIQUID),
            Err(KeyFileError::TooLong { .. })
        ));
        assert!(matches!(
            read(folder.path(), &Network::LIQUID),
            Err(KeyFileError::NotAFile { .. })
        ));
        let error = read(&folder.path().join("none"), &Network::LIQUID).expect_err("no file");
        assert!(
            error.to_string().ends_with("none` cannot be read"),
            "{error}"
        );
        let error = create(&folder.path().join("none/key"), &Secret::generate());
        assert!(matches!(
            error,
            Err(KeyFileError::Io {
                action: "written",
                ..
            })
        ));
    }
}
