//! What the programs share at the command line: how an error is told, how a result is written, and
//! the manual pages and completions made from the command line's own description.
//!
//! For thin binaries only. A library has typed errors of its own, and a binary turns them into a
//! [`CliError`] with the cure that fits its command line.
//!
//! ```
//! use federation_cli::CliError;
//!
//! let error = CliError::failure("no key in `block.key`", "make one with `multisig key new`");
//! assert_eq!(
//!     error.to_string(),
//!     "error: no key in `block.key`\n   do: make one with `multisig key new`"
//! );
//! ```

mod error;
pub mod out;
mod pages;

pub use error::{CliError, FOR_PEOPLE};
pub use pages::{write_completions, write_man_pages};
