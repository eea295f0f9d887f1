//! The errors of reading and writing keystore files.

use std::{io, path::PathBuf, sync::Arc};

use federation_signer::KeyRole;

/// An error of reading or writing a keystore file. It never shows the file's content.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The file cannot be opened, read or written.
    #[error("keystore `{}` cannot be {action}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The failed action: `read` or `written`.
        action: &'static str,
        /// The system's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// A folder, a pipe or a device.
    #[error("keystore `{}` is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file is accessible to users other than its owner.
    #[error(
        "keystore `{}` is accessible to other users (mode {mode:03o}): run `chmod 600 {}`",
        path.display(), path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The file exists; keys are never overwritten.
    #[error("keystore `{}` exists and is not overwritten: move it away or choose another name", .0.display())]
    Exists(PathBuf),
    /// The file is not a keystore, or of a version that this program does not support.
    #[error("`{}` is not a keystore: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The pass phrase does not open the file.
    #[error("the pass phrase does not open keystore `{}`", .0.display())]
    WrongPassphrase(PathBuf),
    /// The file requires too much memory and time.
    #[error(
        "keystore `{}` requires work factor {required}, the maximum is {allowed}: it was not created by this program",
        path.display()
    )]
    ExcessiveWork {
        /// The file.
        path: PathBuf,
        /// The file's work factor.
        required: u8,
        /// The highest accepted work factor.
        allowed: u8,
    },
    /// The header in clear text does not match the encrypted key.
    #[error("the header of keystore `{}` was altered: it does not match the encrypted key or its role", .0.display())]
    AlteredHead(PathBuf),
    /// The key has another role.
    #[error("keystore `{}` holds the {found} key, not the {expected} key: choose the right file", path.display())]
    OtherRole {
        /// The file.
        path: PathBuf,
        /// The expected role.
        expected: KeyRole,
        /// The key's role.
        found: KeyRole,
    },
    /// The encryption failed.
    #[error("the key could not be encrypted: {0}")]
    Encrypt(String),
}
