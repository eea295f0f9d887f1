//! Why a keystore file was not read or written.

use std::{io, path::PathBuf, sync::Arc};

use federation_signer::KeyRole;

/// Why a keystore file was not read or written. Never shows what is in it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The file cannot be opened, read or written.
    #[error("keystore `{}` cannot be {action}", path.display())]
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
    #[error("keystore `{}` is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// Others than the owner may read or write the file.
    #[error(
        "keystore `{}` is open to others (mode {mode:03o}): run `chmod 600 {}`",
        path.display(), path.display()
    )]
    OpenToOthers {
        /// Which file.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// A file is there already, and a key is never overwritten.
    #[error("keystore `{}` exists and is not overwritten: move it away or choose another name", .0.display())]
    Exists(PathBuf),
    /// The file is no keystore, or of a version that this program does not know.
    #[error("`{}` is no keystore: {reason}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The pass phrase does not open the file.
    #[error("the pass phrase does not open keystore `{}`", .0.display())]
    WrongPassphrase(PathBuf),
    /// The file demands more memory and time than is sane.
    #[error(
        "keystore `{}` wants work factor {required}, more than {allowed}: it was not made by this program",
        path.display()
    )]
    ExcessiveWork {
        /// Which file.
        path: PathBuf,
        /// The file's factor.
        required: u8,
        /// The highest that is accepted.
        allowed: u8,
    },
    /// The head in clear text is not of the key within.
    #[error("the head of keystore `{}` was altered: the key within is another or has another role", .0.display())]
    AlteredHead(PathBuf),
    /// The key is for something else.
    #[error("keystore `{}` holds the {found} key, not the {expected} key: give the right file", path.display())]
    OtherRole {
        /// Which file.
        path: PathBuf,
        /// What it was to be for.
        expected: KeyRole,
        /// What it is for.
        found: KeyRole,
    },
    /// The encryption itself failed.
    #[error("the key could not be encrypted: {0}")]
    Encrypt(String),
}
