//! What keeps a process from a file that may well be whole.

use core::fmt;
use std::{error::Error, io, sync::Arc};

/// What the system refused, when it refused a file: faults of the place, not of what is in the file.
///
/// ```
/// use federation_signer::SystemFault;
///
/// let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
/// let fault = SystemFault::of(&denied).expect("no fault of the file's content");
/// assert_eq!(fault, SystemFault::NotAllowed);
/// assert_eq!(fault.to_string(), "this user may not use it");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SystemFault {
    /// It is not there.
    Missing,
    /// Its file system is mounted read-only.
    ReadOnly,
    /// Its owner and mode do not let this user.
    NotAllowed,
    /// The process, or the system, has no file descriptors left.
    NoDescriptors,
    /// The disk is full, or the user's share of it.
    NoSpace,
    /// Anything else, as a disk that does not answer.
    Other,
}

/// `ENFILE` and `EMFILE`, the same on all systems of unix.
const NO_DESCRIPTORS: [i32; 2] = [23, 24];

impl SystemFault {
    /// What an error of the system says; none if it is about what is in the file, as one that ends
    /// too early or is no text.
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

    /// What the system said beneath an error, if it said anything.
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

    /// What to do about it.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Missing => "check the path",
            Self::ReadOnly => "mount it for writing too",
            Self::NotAllowed => {
                "start this as the user who owns it, or let that user own it (chown), and every folder above be passable for that user"
            }
            Self::NoDescriptors => {
                "raise the limit (ulimit -n, LimitNOFILE= of the unit), and see what holds so many"
            }
            Self::NoSpace => "make room",
            Self::Other => "see what the system's log says of the disk",
        }
    }
}

impl fmt::Display for SystemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it is not there",
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
    fn what_the_system_refuses_is_told_from_what_is_in_the_file() {
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
    fn it_is_found_beneath_other_errors() {
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
