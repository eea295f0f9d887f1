//! Files that the system gives a service: secrets of containers, credentials of systemd.

use std::path::Path;

/// Where containers get their secrets, readable by all within.
const CONTAINER_SECRETS: &str = "/run/secrets";

/// Whether a file stands where a container (`/run/secrets`) or systemd (`$CREDENTIALS_DIRECTORY`)
/// puts what it gives one service. Who else may read it there is the system's affair, whatever the
/// file's mode: a secret of a container is often readable by all within.
///
/// Symbolic links are followed, so that none leads out of these folders.
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
    // The root is where nobody puts secrets, and everything is below it.
    folder.parent().is_some() && path.starts_with(&folder) && path != folder
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn what_is_below_a_folder_is_given_by_it() {
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
    fn no_way_round_leads_out_of_the_folder() {
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
        fs::rename(&other, secrets.join("key")).expect("it moves");
        symlink(&secrets, outer.path().join("run")).expect("a link");
        symlink(secrets.join("key"), secrets.join("latest")).expect("a link");
        assert!(is_below(&outer.path().join("run/key"), &secrets));
        assert!(is_below(&secrets.join("latest"), &outer.path().join("run")));
    }
}
