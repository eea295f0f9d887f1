//! Files with secrets, which other users must not be able to access.

use std::{
    fs::{File, Metadata},
    io,
    path::Path,
};

use zeroize::Zeroizing;

use crate::read::read_into;

/// Where containers get their secrets, readable by all processes within.
const CONTAINER_SECRETS: &str = "/run/secrets";

/// Why a private file was not read. The content is never shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateFileError {
    /// The system refuses it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder, a pipe or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file is accessible to users other than its owner.
    #[error("it is accessible to other users (mode {mode:03o})")]
    OpenToOthers {
        /// The file's permission bits.
        mode: u32,
    },
    /// The file is larger than the limit.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Reads a regular file of at most `limit` bytes that other users cannot access; see
/// [`mode_open_to_others`].
///
/// # Errors
/// [`PrivateFileError`]
pub fn read_private(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    // Also checked before opening, because opening a pipe blocks until it has a writer.
    if !path.metadata()?.is_file() {
        return Err(PrivateFileError::NotAFile);
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(PrivateFileError::NotAFile);
    }
    if let Some(mode) = mode_open_to_others(path, &metadata) {
        return Err(PrivateFileError::OpenToOthers { mode });
    }
    // The buffer never grows, so that no copy of the secret remains in memory.
    let capacity = limit.saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    if read_into(file, limit, &mut bytes)? {
        return Err(PrivateFileError::TooLarge { limit });
    }
    Ok(bytes)
}

/// Returns a regular file's permission bits if users other than its owner can access it, unless it
/// [is given by the system](is_given_by_system). The metadata must be those of the open file.
///
/// On systems other than Unix, permissions are not checked.
#[must_use]
pub fn mode_open_to_others(path: &Path, metadata: &Metadata) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let mode = metadata.permissions().mode() & 0o777;
        let is_open = mode & 0o077 != 0 && metadata.is_file() && !is_given_by_system(path);
        is_open.then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = (path, metadata);
        None
    }
}

/// Returns whether a file is in a folder where a container (`/run/secrets`) or systemd
/// (`$CREDENTIALS_DIRECTORY`) puts the secrets of one service. There, the system controls who can read
/// it, whatever the file's mode: a container's secret is often readable by all processes within.
///
/// Symbolic links are resolved first, so a link from there to another place does not qualify.
#[must_use]
pub fn is_given_by_system(path: &Path) -> bool {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    let folders = [
        Some(Path::new(CONTAINER_SECRETS)),
        credentials.as_deref().map(Path::new),
    ];
    folders
        .into_iter()
        .flatten()
        .any(|folder| is_below(path, folder))
}

fn is_below(path: &Path, folder: &Path) -> bool {
    let (Ok(path), Ok(folder)) = (path.canonicalize(), folder.canonicalize()) else {
        return false;
    };
    // Everything is below the root, so it cannot be a folder of secrets.
    folder.parent().is_some() && path.starts_with(&folder) && path != folder
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn a_private_file_is_read_up_to_the_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "secret").expect("written");
        let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        for mode in [0o600, 0o400, 0o700] {
            set_mode(mode).expect("the owner");
            assert_eq!(*read_private(&path, 6).expect("private"), b"secret");
        }
        let large = read_private(&path, 5);
        assert!(matches!(
            large,
            Err(PrivateFileError::TooLarge { limit: 5 })
        ));
        for mode in [0o640, 0o604, 0o620, 0o610, 0o666] {
            set_mode(mode).expect("the owner");
            let refused = read_private(&path, 6);
            assert!(
                matches!(refused, Err(PrivateFileError::OpenToOthers { mode: found }) if found == mode),
                "{mode:o}: {refused:?}"
            );
        }
    }

    #[test]
    fn folders_devices_and_missing_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path(), Path::new("/dev/null")] {
            let refused = read_private(path, 6);
            assert!(
                matches!(refused, Err(PrivateFileError::NotAFile)),
                "{refused:?}"
            );
        }
        let missing = read_private(&folder.path().join("none"), 6);
        assert!(
            matches!(missing, Err(PrivateFileError::Io(_))),
            "{missing:?}"
        );
    }

    #[test]
    fn only_a_regular_file_can_be_open_to_others() {
        let null = File::open("/dev/null").expect("a device");
        let metadata = null.metadata().expect("readable");
        assert_eq!(mode_open_to_others(Path::new("/dev/null"), &metadata), None);
    }

    #[test]
    fn a_file_below_a_folder_is_given_by_it() {
        let outer = tempfile::tempdir().expect("a folder");
        let secrets = outer.path().join("secrets");
        fs::create_dir_all(secrets.join("deep")).expect("a folder");
        let file = |path: &str| {
            let path = outer.path().join(path);
            fs::write(&path, "x").expect("a file");
            path
        };
        let (key, deep, other) = (file("secrets/key"), file("secrets/deep/key"), file("other"));
        assert!(is_below(&key, &secrets));
        assert!(is_below(&deep, &secrets));
        assert!(!is_below(&other, &secrets));
        assert!(!is_below(&file("secrets2"), &secrets));
        assert!(!is_below(&secrets, &secrets));
    }

    #[test]
    fn links_and_parents_do_not_lead_out_of_the_folder() {
        let outer = tempfile::tempdir().expect("a folder");
        let secrets = outer.path().join("secrets");
        fs::create_dir(&secrets).expect("a folder");
        let other = outer.path().join("other");
        fs::write(&other, "x").expect("a file");
        symlink(&other, secrets.join("link")).expect("a link");
        assert!(!is_below(&secrets.join("link"), &secrets));
        assert!(!is_below(&secrets.join("../other"), &secrets));
        assert!(!is_below(&secrets.join("none"), &secrets));
        assert!(!is_below(&other, Path::new("/")));
        assert!(!is_below(&other, Path::new("")));
        // A link to the folder is the folder, and links within it are common.
        fs::rename(&other, secrets.join("key")).expect("renamed");
        symlink(&secrets, outer.path().join("run")).expect("a link");
        symlink(secrets.join("key"), secrets.join("latest")).expect("a link");
        assert!(is_below(&outer.path().join("run/key"), &secrets));
        assert!(is_below(&secrets.join("latest"), &outer.path().join("run")));
    }
}
