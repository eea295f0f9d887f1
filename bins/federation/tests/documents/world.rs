//! A federation that runs already, in which a reader asks.

#[path = "../recovery/world.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod recovery;

pub(crate) use recovery::{Daemon, World, ask_json};
