//! Tells errors of the system, and data of newer versions, from damage.

use core::error::Error;
use std::io;

use federation_signer::{GuardStoreError, SystemFault};
use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

use super::guard::UnknownStanding;

/// Why a database failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// The system refused access, for this reason.
    System(SystemFault, String),
    /// The data is intact, but a newer version wrote it.
    Newer(String),
    /// The data is damaged.
    Damage(String),
}

impl Cause {
    /// Classifies an error of the database. What is not known to be an error of the system is damage.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        if let Some(error) = error.downcast_ref::<GuardStoreError>() {
            return match error {
                GuardStoreError::Backend(source) => Self::of(source.as_ref()),
                other => Self::Damage(other.to_string()),
            };
        }
        if let Some(unknown) = error.downcast_ref::<UnknownStanding>() {
            return Self::Newer(unknown.to_string());
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Self::of_system(error);
        }
        match storage(error) {
            Some(StorageError::Io(error)) => Self::of_system(error),
            // After a failed read or write, the database does nothing more until it is reopened.
            Some(
                other @ (StorageError::PreviousIo
                | StorageError::Unsupported
                | StorageError::DatabaseClosed
                | StorageError::LockPoisoned(_)),
            ) => Self::System(SystemFault::Other, other.to_string()),
            _ => match error.downcast_ref::<redb::Error>() {
                Some(redb::Error::Io(error)) => Self::of_system(error),
                Some(
                    other @ (redb::Error::PreviousIo
                    | redb::Error::Unsupported
                    | redb::Error::DatabaseClosed
                    | redb::Error::LockPoisoned(_)),
                ) => Self::System(SystemFault::Other, other.to_string()),
                _ => Self::Damage(error.to_string()),
            },
        }
    }

    fn of_system(error: &io::Error) -> Self {
        match SystemFault::of(error) {
            Some(fault) => Self::System(fault, error.to_string()),
            None => Self::Damage(error.to_string()),
        }
    }
}

/// Returns the storage error inside an error of any operation.
fn storage<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e StorageError> {
    if let Some(error) = error.downcast_ref::<StorageError>() {
        return Some(error);
    }
    if let Some(DatabaseError::Storage(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(TableError::Storage(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(TransactionError::Storage(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(CommitError::Storage(error)) = error.downcast_ref() {
        return Some(error);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied() -> io::Error {
        io::ErrorKind::PermissionDenied.into()
    }

    #[test]
    fn errors_of_the_system_are_recognized_in_every_error_type_of_the_database() {
        let errors: [Box<dyn Error>; 7] = [
            Box::new(denied()),
            Box::new(StorageError::Io(denied())),
            Box::new(DatabaseError::Storage(StorageError::Io(denied()))),
            Box::new(TableError::Storage(StorageError::Io(denied()))),
            Box::new(CommitError::from(StorageError::Io(denied()))),
            Box::new(redb::Error::Io(denied())),
            Box::new(GuardStoreError::backend(TableError::Storage(
                StorageError::Io(denied()),
            ))),
        ];
        for error in errors {
            let cause = Cause::of(error.as_ref());
            assert!(
                matches!(cause, Cause::System(SystemFault::NotAllowed, _)),
                "{error:?}: {cause:?}"
            );
        }
    }

    #[test]
    fn corrupt_data_is_damage_and_an_earlier_failure_is_not() {
        let corrupted = || StorageError::Corrupted("a page".to_owned());
        let short = || StorageError::Io(io::ErrorKind::UnexpectedEof.into());
        for error in [corrupted(), short()] {
            assert!(matches!(Cause::of(&error), Cause::Damage(_)), "{error:?}");
            let error = redb::Error::from(error);
            assert!(matches!(Cause::of(&error), Cause::Damage(_)), "{error:?}");
        }
        for error in [StorageError::PreviousIo, StorageError::DatabaseClosed] {
            let cause = Cause::of(&error);
            assert!(
                matches!(cause, Cause::System(SystemFault::Other, _)),
                "{error:?}: {cause:?}"
            );
        }
    }
}
