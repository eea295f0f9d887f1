//! Plain key files: one secret key, as hex or WIF, readable by its owner only.
//!
//! The file holds 64 hexadecimal digits or a key in wallet import format, and white space around
//! it. On unix a file that its group or others may read is refused, unless it stands where a
//! container or systemd puts secrets.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use federation_multisig::Network;
use zeroize::{Zeroize, Zeroizing};

use crate::{Secret, SecretError, is_given_by_system};

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
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if path.symlink_metadata().is_ok() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    // Made with mode 0600 on unix.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut line = secret.to_hex();
    file.write_all(line.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    line.zeroize();
    file.persist_noclobber(path)
        .map_err(|error| failed(error.error))?;
    sync_folder(folder).map_err(failed)
}

/// Makes the new name durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let failed = |source: io::Error| KeyFileError::Io {
        path: path.to_owned(),
        action: "read",
        source: Arc::new(source),
    };
    // Asked before opening too: opening a pipe waits for its writer.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(KeyFileError::NotAFile {
            path: path.to_owned(),
        });
    }
    let file = File::open(path).map_err(failed)?;
    check_mode(path, &file.metadata().map_err(failed)?)?;
    // All at once and never grown, so that no copy of the key is left behind in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() > MAX_BYTES {
        return Err(KeyFileError::TooLong {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &std::fs::Metadata) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 || is_given_by_system(path) {
        Ok(())
    } else {
        Err(KeyFileError::OpenToOthers {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::Metadata) -> Result<(), KeyFileError> {
    // Other systems have other means, which this does not know.
    Ok(())
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
