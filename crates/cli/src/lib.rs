//! What the programs share at the command line: how an error is told, how a result is written, and
//! the manual pages, completions and help made from the command line's own description and from the
//! documentation.
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

mod chapters;
mod duration;
mod error;
mod help;
pub mod out;
mod pages;

pub use duration::{duration, duration_or_millis};
pub use error::{CliError, FOR_PEOPLE};
pub use help::{GlobalArgs, HelpArgs, write_help};
pub use pages::{write_completions, write_man_pages};
