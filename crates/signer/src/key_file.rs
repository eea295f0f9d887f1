//! Plain key files: one secret key, as hex or WIF, readable by its owner only.
//!
//! The file holds 64 hexadecimal digits or a key in wallet import format, and white space around
//! it. On unix a file that its group or others may read is refused, unless it stands where a
//! container or systemd puts secrets.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use federation_files::{Access, PrivateFileError};
use federation_multisig::Network;
use zeroize::Zeroizing;

use crate::{Secret, SecretError};

/// Most bytes a key file may have; a key with white space has far fewer.
const MAX_BYTES: usize = 1024;

/// Why a key file was not read or not written. Never shows what is in it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be opened, read or written.
    #[error("key file `{}` cannot be {action}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried: read or written.
        action: &'static str,
        /// What the system says.
        #[source]
        source: Arc<io::Error>,
    },
    /// A folder, a pipe or a device.
    #[error("key file `{}` is no regular file", path.display())]
    NotAFile {
        /// Which file.
        path: PathBuf,
    },
    /// Others than the owner may read or write the file.
    #[error(
        "key file `{}` is open to others (mode {mode:03o}): run `chmod 600 {}`",
        path.display(), path.display()
    )]
    OpenToOthers {
        /// Which file.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The file holds more than a key.
    #[error("key file `{}` has more than {MAX_BYTES} bytes: it should hold one key", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// The file holds no key, or one of another chain.
    #[error("key file `{}` holds no usable key", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with the text.
        #[source]
        source: SecretError,
    },
    /// A file is there already, and a key is never overwritten.
    #[error("key file `{}` exists and is not overwritten: move it away or choose another name", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
}

/// Reads the secret key in a file. The network says which prefix a key in WIF must have.
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
    // A WIF has 52 characters: what is neither is most likely a hex key with a slip.
    let secret = if is_hex || text.len() > 60 {
        Secret::from_hex(text)
    } else {
        Secret::from_wif(text, network)
    };
    secret.map_err(content)
}

/// Writes a secret key as hex to a new file that only its owner may read.
///
/// The file appears whole or not at all, and is on disk when this returns.
///
/// # Errors
/// [`KeyFileError::Exists`] if there is a file of that name; else see [`KeyFileError`].
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

    /// A folder with a key file of this content, made as `create` makes it.
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
    fn a_created_file_reads_back_and_is_not_overwritten() {
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
    fn a_file_open_to_others_is_refused_with_the_cure() {
        use std::os::unix::fs::PermissionsExt;

        let (_folder, path) = with_file(b"");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        let made = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(made & 0o777, 0o600);
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
            let error = read(&path, &Network::LIQUID).expect_err("open to others");
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
            read(&path, &Network::LIQUID).expect("closed to others");
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
    fn what_is_no_key_is_refused_for_its_reason() {
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
    fn what_is_no_small_file_is_refused() {
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
