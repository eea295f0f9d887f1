//! System faults that make a file unusable although its content may be intact.

use core::fmt;
use std::{error::Error, io, sync::Arc};

/// Why the system refused a file: a fault of the environment, not of the file's content.
///
/// ```
/// use federation_signer::SystemFault;
///
/// let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
/// let fault = SystemFault::of(&denied).expect("a fault of the environment");
/// assert_eq!(fault, SystemFault::NotAllowed);
/// assert_eq!(fault.to_string(), "this user may not use it");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SystemFault {
    /// The file does not exist.
    Missing,
    /// The file system is mounted read-only.
    ReadOnly,
    /// Owner and mode do not permit this user.
    NotAllowed,
    /// The process or the system has no file descriptors left.
    NoDescriptors,
    /// The disk or the user's quota is full.
    NoSpace,
    /// Anything else, such as a disk that does not respond.
    Other,
}

/// `ENFILE` and `EMFILE`, the same on all Unix systems.
const NO_DESCRIPTORS: [i32; 2] = [23, 24];

impl SystemFault {
    /// Returns the fault behind an I/O error; `None` if the error is about the file's content, such
    /// as an early end or invalid text.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        use io::ErrorKind as E;
        Some(match error.kind() {
            E::NotFound => Self::Missing,
            E::ReadOnlyFilesystem => Self::ReadOnly,
            E::PermissionDenied => Self::NotAllowed,
            E::StorageFull | E::QuotaExceeded => Self::NoSpace,
            E::InvalidData | E::UnexpectedEof => return None,
            _ => match error.raw_os_error() {
                Some(code) if NO_DESCRIPTORS.contains(&code) => Self::NoDescriptors,
                _ => Self::Other,
            },
        })
    }

    /// Returns the system fault among the causes of an error, if any.
    #[must_use]
    pub fn beneath(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut causes = std::iter::successors(Some(error), |error| (*error).source());
        causes.find_map(|cause| {
            let shared = cause.downcast_ref::<Arc<io::Error>>().map(AsRef::as_ref);
            shared
                .or_else(|| cause.downcast_ref::<io::Error>())
                .and_then(Self::of)
        })
    }

    /// Returns how to fix it.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Missing => "check the path",
            Self::ReadOnly => "mount it for writing",
            Self::NotAllowed => {
                "run this as the user who owns it, or change its owner to that user (chown), and make every folder above accessible to that user"
            }
            Self::NoDescriptors => {
                "raise the limit (ulimit -n, LimitNOFILE= of the unit), and find out what uses so many"
            }
            Self::NoSpace => "free some space",
            Self::Other => "check the system's log for messages about the disk",
        }
    }
}

impl fmt::Display for SystemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it does not exist",
            Self::ReadOnly => "its file system is mounted read-only",
            Self::NotAllowed => "this user may not use it",
            Self::NoDescriptors => "there are no file descriptors left",
            Self::NoSpace => "there is no space left",
            Self::Other => "the system refuses it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_file::KeyFileError as Problem;

    #[test]
    fn system_faults_are_distinguished_from_faults_of_the_content() {
        for (code, fault) in [
            (2, SystemFault::Missing),
            (30, SystemFault::ReadOnly),
            (13, SystemFault::NotAllowed),
            (1, SystemFault::NotAllowed),
            (24, SystemFault::NoDescriptors),
            (23, SystemFault::NoDescriptors),
            (28, SystemFault::NoSpace),
            (122, SystemFault::NoSpace),
            (5, SystemFault::Other),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(SystemFault::of(&error), Some(fault), "{error}");
        }
        for kind in [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof] {
            assert_eq!(SystemFault::of(&kind.into()), None, "{kind}");
        }
    }

    #[test]
    fn it_is_found_among_the_causes_of_other_errors() {
        let source = Arc::new(io::Error::from(io::ErrorKind::PermissionDenied));
        let error = Problem::Io {
            path: "block.key".into(),
            action: "read",
            source,
        };
        assert_eq!(SystemFault::beneath(&error), Some(SystemFault::NotAllowed));
        let error = Problem::NotAFile {
            path: "block.key".into(),
        };
        assert_eq!(SystemFault::beneath(&error), None);
    }
}
