//! The verbs, a module each. What two of them share is outside this folder: no verb imports another.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod devnet;
pub(crate) mod guard;
pub(crate) mod init;
pub(crate) mod issue;
pub(crate) mod preflight;
pub(crate) mod rehearse;
pub(crate) mod reissuance;
pub(crate) mod run;
pub(crate) mod status;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Calls `see` with the text of each source file in a folder.
    fn each_source(folder: &Path, see: &mut dyn FnMut(&Path, &str)) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                each_source(&path, see);
            } else {
                see(&path, &fs::read_to_string(&path).expect("readable"));
            }
        }
    }

    #[test]
    fn no_verb_imports_another() {
        let verbs = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verbs");
        let mut files = 0;
        for verb in fs::read_dir(&verbs).expect("a folder") {
            let verb = verb.expect("readable").path();
            if !verb.is_dir() {
                continue;
            }
            let own = verb.file_name().expect("a name").display().to_string();
            let is_own = |rest: &str| {
                let rest = rest.strip_prefix(&own);
                rest.is_some_and(|rest| {
                    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            };
            each_source(&verb, &mut |path, text| {
                files += 1;
                let mut imports = text.split("verbs::").skip(1);
                assert!(
                    imports.all(is_own),
                    "{} imports another verb",
                    path.display()
                );
            });
        }
        assert!(files > 12, "{files} files");
    }
}
