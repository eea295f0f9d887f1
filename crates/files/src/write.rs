//! Atomic and durable writes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// Who can access a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum Access {
    /// Its owner only: mode 0600 on Unix.
    Owner,
    /// As the process's umask allows.
    Umask,
}

/// A complete, synced file that does not have its name yet. It is removed if it is dropped.
#[derive(Debug)]
pub struct Prepared {
    file: NamedTempFile,
}

impl Prepared {
    /// Gives the file a name that no other file has, durably.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if a file of that name exists, which is left unchanged; or if
    /// the system refuses it. If the disk fails as the folder is synced, the file has its name already.
    pub fn create(self, path: &Path) -> io::Result<()> {
        let folder = open_folder(folder_of(path))?;
        self.file
            .persist_noclobber(path)
            .map_err(|error| error.error)?;
        sync(folder)
    }

    /// Gives the file its name in place of an existing one, durably.
    ///
    /// # Errors
    /// If the system refuses it; an existing file is then unchanged, unless the disk fails as the folder
    /// is synced, which comes last.
    pub fn replace(self, path: &Path) -> io::Result<()> {
        let folder = open_folder(folder_of(path))?;
        self.file.persist(path).map_err(|error| error.error)?;
        sync(folder)
    }
}

/// Writes and syncs a file in the folder of `path`, under a temporary name.
///
/// # Errors
/// If the system refuses it.
pub fn prepare(path: &Path, bytes: &[u8], access: Access) -> io::Result<Prepared> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        options.mode(match access {
            Access::Owner => 0o600,
            // The system subtracts the umask.
            Access::Umask => 0o666,
        });
    }
    #[cfg(not(unix))]
    let _ = access;
    // Opened here and not by `tempfile`, whose errors hide the system's.
    let mut file = tempfile::Builder::new().make_in(folder_of(path), |path| options.open(path))?;
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(Prepared { file })
}

/// Creates a file with this content, atomically and durably.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if it exists already, also as a dangling symbolic link; or if the
/// system refuses it.
pub fn create(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    prepare(path, bytes, access)?.create(path)
}

/// Creates a file with this content, or replaces an existing one, atomically and durably.
///
/// # Errors
/// As [`Prepared::replace`].
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    prepare(path, bytes, access)?.replace(path)
}

/// Makes the entries of a folder durable: a synced file in an unsynced folder can be lost.
///
/// # Errors
/// If the system refuses it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    sync(open_folder(folder)?)
}

/// Opens a folder to sync it, before anything is changed in it; `None` on systems that do not open
/// folders as files.
fn open_folder(folder: &Path) -> io::Result<Option<File>> {
    cfg!(unix).then(|| File::open(folder)).transpose()
}

fn sync(folder: Option<File>) -> io::Result<()> {
    folder.map_or(Ok(()), |folder| folder.sync_all())
}

/// Creates a folder and its missing parents, accessible to their owner only, and makes their entries
/// durable. An existing folder is left unchanged.
///
/// An entry in a folder that this user may not read is not synced, because it cannot be opened.
///
/// # Errors
/// If the system refuses it.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| *folder != Path::new("") && !folder.is_dir())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for created in missing.iter().rev() {
        match open_folder(folder_of(created)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            parent => sync(parent?)?,
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).expect("a folder").count()
    }

    #[test]
    fn a_file_is_created_whole_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        create(&path, b"one", Access::Umask).expect("created");
        let error = create(&path, b"two", Access::Umask).expect_err("it exists");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let late = prepare(&path, b"three", Access::Umask).expect("prepared");
        let error = late.create(&path).expect_err("it exists");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("a file"), b"one");
        assert_eq!(files(folder.path()), 1, "no temporary file remains");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for content in [&b"one"[..], b"two", b""] {
            replace(&path, content, Access::Owner).expect("replaced");
            assert_eq!(fs::read(&path).expect("a file"), content);
        }
        assert_eq!(files(folder.path()), 1, "no temporary file remains");
    }

    #[test]
    fn a_prepared_file_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        drop(prepare(&path, b"one", Access::Owner).expect("prepared"));
        assert_eq!(files(folder.path()), 0);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("none/file");
        for error in [
            create(&path, b"one", Access::Owner).expect_err("no folder"),
            replace(&path, b"one", Access::Owner).expect_err("no folder"),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert!(
                error.raw_os_error().is_some(),
                "it is the system's: {error:?}"
            );
        }
        assert!(sync_folder(&folder.path().join("none")).is_err());
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        fn mode(path: &Path) -> u32 {
            let metadata = fs::metadata(path).expect("it exists");
            metadata.permissions().mode() & 0o777
        }

        #[test]
        fn access_is_for_the_owner_only_or_as_the_umask_allows() {
            let folder = tempfile::tempdir().expect("a folder");
            let path = |name: &str| folder.path().join(name);
            create(&path("owner"), b"", Access::Owner).expect("created");
            assert_eq!(mode(&path("owner")), 0o600);
            create(&path("umask"), b"", Access::Umask).expect("created");
            File::create(path("usual")).expect("created");
            assert_eq!(mode(&path("umask")), mode(&path("usual")));
        }

        #[test]
        fn a_dangling_link_is_not_followed() {
            let folder = tempfile::tempdir().expect("a folder");
            let (link, target) = (folder.path().join("link"), folder.path().join("target"));
            symlink(&target, &link).expect("a link");
            assert!(create(&link, b"one", Access::Owner).is_err());
            assert!(!target.exists());
        }

        #[test]
        fn a_private_folder_and_its_parents_are_for_their_owner_only() {
            let outer = tempfile::tempdir().expect("a folder");
            let folder = outer.path().join("one/two");
            create_private_folder(&folder).expect("created");
            create_private_folder(&folder).expect("it exists");
            assert_eq!(mode(&folder), 0o700);
            assert_eq!(mode(&outer.path().join("one")), 0o700);
            fs::write(folder.join("file"), "").expect("written");
            assert!(create_private_folder(&folder.join("file")).is_err());
        }
    }
}
