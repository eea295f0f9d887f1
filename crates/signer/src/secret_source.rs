//! The sources of PINs and passphrases: never a command line.

use core::{fmt, str::FromStr};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use federation_files::mode_open_to_others;
use zeroize::Zeroizing;

/// The maximum size of a PIN or passphrase, in bytes.
pub const MAX_SECRET_BYTES: usize = 1024;

/// The source of a PIN or passphrase.
///
/// As text: `prompt`, `file:PATH`, `fd:NUMBER`, `env:NAME` or `credential:NAME`.
///
/// ```
/// use federation_signer::SecretSource;
///
/// assert_eq!("fd:3".parse(), Ok(SecretSource::Fd(3)));
/// // A secret itself is not a source: it would be visible in the process list.
/// assert!("hunter2".parse::<SecretSource>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretSource {
    /// A person at the terminal.
    Prompt,
    /// The first line of a file that only its owner may read.
    File(PathBuf),
    /// The first line read from an inherited file descriptor.
    Fd(u32),
    /// An environment variable.
    Env(String),
    /// A credential provided by systemd: a file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A string that is not a source. The string is not shown: it may be the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a source of a secret: expected prompt, file:PATH, fd:NUMBER, env:NAME or credential:NAME"
)]
pub struct ParseSecretSourceError;

/// Why a secret could not be read. Never shows it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SecretSourceError {
    /// The file, descriptor or terminal cannot be read.
    #[error("{what} cannot be read from {source_name}")]
    Io {
        /// The secret requested, for example `the PIN`.
        what: String,
        /// Its source.
        source_name: SecretSource,
        /// The error reported by the system.
        #[source]
        source: Arc<io::Error>,
    },
    /// Users other than the owner may read the file.
    #[error(
        "{what} in `{}` is open to others (mode {mode:03o}): run `chmod 600 {}`",
        path.display(), path.display()
    )]
    OpenToOthers {
        /// The secret requested.
        what: String,
        /// The file.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The variable does not exist, or is not valid UTF-8.
    #[error("{what} is not in the environment: set {name}")]
    NoVariable {
        /// The secret requested.
        what: String,
        /// The variable's name.
        name: String,
    },
    /// The source has no line, one that is far too long, or no text.
    #[error(
        "{source_name} does not contain {what}: expected one line of text, at most {MAX_SECRET_BYTES} bytes"
    )]
    Content {
        /// The secret requested.
        what: String,
        /// Its source.
        source_name: SecretSource,
    },
}

impl SecretSource {
    /// Returns the same source, with a file's path relative to a folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(folder.join(path)),
            other => other,
        }
    }

    /// Reads the secret. `what` names it in the prompt and in errors: "the PIN of ..".
    ///
    /// A file must not be accessible to group and others, unless it is in a folder for secrets of
    /// systemd or containers. A descriptor can be read only once.
    ///
    /// # Errors
    /// See [`SecretSourceError`].
    pub fn read(&self, what: &str) -> Result<Zeroizing<String>, SecretSourceError> {
        let failed = |error: io::Error| SecretSourceError::Io {
            what: what.to_owned(),
            source_name: self.clone(),
            source: Arc::new(error),
        };
        let text =
            match self {
                Self::Prompt => {
                    Zeroizing::new(rpassword::prompt_password(format!("{what}: ")).map_err(failed)?)
                }
                Self::File(path) => {
                    let file = File::open(path).map_err(failed)?;
                    check_mode(what, path, &file.metadata().map_err(failed)?)?;
                    self.first_line(what, file)?
                }
                Self::Fd(number) => {
                    let file = File::open(format!("/dev/fd/{number}")).map_err(failed)?;
                    self.first_line(what, file)?
                }
                Self::Env(name) => Zeroizing::new(std::env::var(name).map_err(|_| {
                    SecretSourceError::NoVariable {
                        what: what.to_owned(),
                        name: name.clone(),
                    }
                })?),
                Self::Credential(name) => {
                    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                        SecretSourceError::NoVariable {
                            what: what.to_owned(),
                            name: "CREDENTIALS_DIRECTORY".to_owned(),
                        }
                    })?;
                    let file = File::open(Path::new(&folder).join(name)).map_err(failed)?;
                    self.first_line(what, file)?
                }
            };
        if text.is_empty() || text.len() > MAX_SECRET_BYTES {
            return Err(self.bad_content(what));
        }
        Ok(text)
    }

    fn bad_content(&self, what: &str) -> SecretSourceError {
        SecretSourceError::Content {
            what: what.to_owned(),
            source_name: self.clone(),
        }
    }

    /// Returns the content of a source that holds one line.
    fn first_line(
        &self,
        what: &str,
        source: impl Read,
    ) -> Result<Zeroizing<String>, SecretSourceError> {
        // Read in one go and never reallocated, so that no copy is left in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 3));
        source
            .take(MAX_SECRET_BYTES as u64 + 3)
            .read_to_end(&mut bytes)
            .map_err(|error| SecretSourceError::Io {
                what: what.to_owned(),
                source_name: self.clone(),
                source: Arc::new(error),
            })?;
        let text = core::str::from_utf8(&bytes).map_err(|_| self.bad_content(what))?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.contains(['\n', '\r', '\0']) {
            return Err(self.bad_content(what));
        }
        Ok(Zeroizing::new(line.to_owned()))
    }
}

fn check_mode(
    what: &str,
    path: &Path,
    metadata: &std::fs::Metadata,
) -> Result<(), SecretSourceError> {
    match mode_open_to_others(path, metadata) {
        None => Ok(()),
        Some(mode) => Err(SecretSourceError::OpenToOthers {
            what: what.to_owned(),
            path: path.to_owned(),
            mode,
        }),
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prompt => f.write_str("prompt"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Fd(number) => write!(f, "fd:{number}"),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

impl FromStr for SecretSource {
    type Err = ParseSecretSourceError;

    fn from_str(text: &str) -> Result<Self, ParseSecretSourceError> {
        if text == "prompt" {
            return Ok(Self::Prompt);
        }
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("fd", number)) => number
                .parse()
                .map(Self::Fd)
                .map_err(|_| ParseSecretSourceError),
            Some(("env", name)) if is_name(name) => Ok(Self::Env(name.to_owned())),
            Some(("credential", name)) if is_name(name) => Ok(Self::Credential(name.to_owned())),
            _ => Err(ParseSecretSourceError),
        }
    }
}

/// Returns whether a string is a name, not a path or an assignment.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.chars().all(allowed) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn in_file(content: &[u8], mode: u32) -> (tempfile::TempDir, SecretSource) {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pin");
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
        (folder, SecretSource::File(path))
    }

    #[test]
    fn a_file_is_read_without_its_line_ending() {
        for content in ["12 34", "12 34\n", "12 34\r\n"] {
            let (_folder, source) = in_file(content.as_bytes(), 0o600);
            assert_eq!(source.read("the PIN").expect("a line").as_str(), "12 34");
        }
    }

    #[test]
    fn a_file_accessible_to_others_is_refused() {
        for mode in [0o640, 0o604, 0o644] {
            let (_folder, source) = in_file(b"1234", mode);
            assert!(matches!(
                source.read("the PIN"),
                Err(SecretSourceError::OpenToOthers { mode: found, .. }) if found == mode
            ));
        }
    }

    #[test]
    fn content_that_is_not_one_line_is_refused_and_not_shown() {
        let long = vec![b'x'; MAX_SECRET_BYTES + 1];
        for content in [
            b"".as_slice(),
            b"\n",
            b"hunter\n2",
            b"hunter\0",
            b"\xff",
            &long,
        ] {
            let (_folder, source) = in_file(content, 0o600);
            let error = source.read("the PIN").expect_err("no line");
            assert!(
                matches!(error, SecretSourceError::Content { .. }),
                "{error:?}"
            );
            assert!(!format!("{error} {error:?}").contains("hunter"));
        }
    }

    #[test]
    fn a_missing_source_is_named() {
        let source = SecretSource::Env("FEDERATION_NO_SUCH_VARIABLE".to_owned());
        let error = source.read("the PIN").expect_err("not set").to_string();
        assert!(error.contains("set FEDERATION_NO_SUCH_VARIABLE"), "{error}");
        let source = SecretSource::File("/no/such/file".into());
        let error = source.read("the PIN").expect_err("no file").to_string();
        assert!(error.contains("file:/no/such/file"), "{error}");
    }

    #[test]
    fn a_descriptor_is_read() {
        use std::os::fd::AsRawFd;

        let (_folder, source) = in_file(b"1234\n", 0o600);
        let SecretSource::File(path) = source else {
            panic!("a file");
        };
        let file = File::open(path).expect("the file");
        let source = SecretSource::Fd(file.as_raw_fd().cast_unsigned());
        assert_eq!(source.read("the PIN").expect("a line").as_str(), "1234");
    }

    proptest! {
        #[test]
        fn sources_round_trip(text in "(prompt|file:[a-z/]{1,9}|fd:[1-9][0-9]{0,3}|env:[A-Z_]{1,9}|credential:[a-z]{1,9})") {
            let source: SecretSource = text.parse().expect("a source");
            prop_assert_eq!(source.to_string(), text);
        }

        #[test]
        fn no_string_panics_and_a_kind_is_required(text in "\\PC{0,40}") {
            let parsed = text.parse::<SecretSource>();
            prop_assert!(parsed.is_err() || text == "prompt" || text.contains(':'));
        }
    }
}
