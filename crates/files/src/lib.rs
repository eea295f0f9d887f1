//! Files: durable writes, bounded reads, and checks of who can access them.
//!
//! | function | for |
//! |---|---|
//! | [`create`], [`replace`], [`prepare`] | writing a whole file atomically and durably |
//! | [`create_private_folder`], [`sync_folder`] | folders, and names that must survive a power loss |
//! | [`read_bounded`] | reading a file of limited size |
//! | [`read_private`], [`mode_open_to_others`] | reading secrets, which other users must not be able to access |
//!
//! A write is durable when the function returns: the file was synced before it got its name, and the
//! folder after. A crash leaves either the old file or the new one, never a part.
//!
//! ```
//! use federation_files::{Access, create, read_private};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("secret");
//! create(&path, b"correct horse", Access::Owner)?;
//! assert_eq!(*read_private(&path, 100)?, b"correct horse");
//! // An existing file is never overwritten.
//! assert!(create(&path, b"battery staple", Access::Owner).is_err());
//! # Ok(())
//! # }
//! ```

mod private;
mod read;
mod write;

pub use private::{PrivateFileError, is_given_by_system, mode_open_to_others, read_private};
pub use read::{ReadError, read_bounded};
pub use write::{Access, Prepared, create, create_private_folder, prepare, replace, sync_folder};
