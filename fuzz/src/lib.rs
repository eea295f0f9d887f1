//! What the fuzz targets do with bytes that anyone may have made: read them, and check that what is
//! read says the same again.
//!
//! The targets in `fuzz_targets/` hand bytes of the fuzzer to these functions, and a test of the
//! workspace hands the seeds to them, so that neither rots.

pub mod block;
pub mod ceremony;
pub mod config;
pub mod envelope;
pub mod genesis;
pub mod guard;
pub mod header;
pub mod message;
pub mod record;
pub mod reissuance;
pub mod rpc;
pub mod script;
pub mod transaction;

/// A function that reads bytes.
pub type Check = fn(&[u8]);

/// All of them, by the names of their targets.
pub const ALL: &[(&str, Check)] = &[
    ("block", block::check),
    ("ceremony", ceremony::check),
    ("config", config::check),
    ("envelope", envelope::check),
    ("genesis", genesis::check),
    ("guard", guard::check),
    ("header", header::check),
    ("message", message::check),
    ("record", record::check),
    ("reissuance", reissuance::check),
    ("rpc", rpc::check),
    ("script", script::check),
    ("transaction", transaction::check),
];
