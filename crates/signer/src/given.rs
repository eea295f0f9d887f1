//! Files provided by the system to a service: container secrets, systemd credentials.

use std::path::Path;

/// The folder for container secrets, readable by everyone inside.
const CONTAINER_SECRETS: &str = "/run/secrets";

/// Returns whether a file is in a folder where a container (`/run/secrets`) or systemd
/// (`$CREDENTIALS_DIRECTORY`) puts the files of a service. The system controls who else may read it
/// there, whatever the file's mode: a container's secret is often readable by everyone inside.
///
/// Symbolic links are resolved first, so that none leads out of these folders.
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
    // Nobody keeps secrets in the root folder, and everything is below it.
    folder.parent().is_some() && path.starts_with(&folder) && path != folder
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn files_below_the_folder_are_recognised() {
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
    fn links_and_dots_do_not_lead_out_of_the_folder() {
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
        // A link to the folder counts as the folder, and links within it are common.
        fs::rename(&other, secrets.join("key")).expect("it moves");
        symlink(&secrets, outer.path().join("run")).expect("a link");
        symlink(secrets.join("key"), secrets.join("latest")).expect("a link");
        assert!(is_below(&outer.path().join("run/key"), &secrets));
        assert!(is_below(&secrets.join("latest"), &outer.path().join("run")));
    }
}
