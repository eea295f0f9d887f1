//! Sidechain blocks of three dialects: Ocean, Elements with plain signed headers, and Elements
//! with dynamic federations (dynafed).

mod dialect;
mod hash;
mod height;
mod time;

pub use dialect::{Dialect, UnknownDialect};
pub use hash::{BlockHash, ParseBlockHashError};
pub use height::BlockHeight;
pub use time::UnixTime;
