//! The command line shared by the federation's programs: errors, output, and the manual pages,
//! completions and help that are generated from the description of the command line and from the
//! documentation.
//!
//! Only for thin binaries. A library has its own typed errors; a binary turns them into a [`CliError`]
//! with help that fits its command line,
//! most often by [`OrHelp`].
//!
//! ```
//! use federation_cli::CliError;
//!
//! let error = CliError::failure("no key in `block.key`", "make one with `multisig key new`");
//! assert_eq!(
//!     error.to_string(),
//!     "error: no key in `block.key`\n help: make one with `multisig key new`"
//! );
//! ```

mod chapters;
mod duration;
mod error;
mod help;
mod or_help;
pub mod out;
mod pages;

pub use duration::{duration, duration_or_millis};
pub use error::{BUG, CliError, NEEDS_ATTENTION};
pub use help::{GlobalArgs, HelpArgs, write_help};
pub use or_help::{OrHelp, with_causes};
pub use pages::{write_completions, write_man_pages};
