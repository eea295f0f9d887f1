//! A running federation that a reader can query.

#[path = "../recovery/world.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod recovery;

pub(crate) use recovery::{Daemon, World, ask_json};
