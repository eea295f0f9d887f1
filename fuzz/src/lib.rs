//! Fuzz checks of all decoders of untrusted bytes: they decode, and check that the result
//! round-trips.
//!
//! The targets in `fuzz_targets/` pass the fuzzer's input to these functions, and a test of the
//! workspace passes them the seeds, so that neither stops working unnoticed.

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

/// A check of any bytes.
pub type Check = fn(&[u8]);

/// All checks, with the names of their targets.
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
