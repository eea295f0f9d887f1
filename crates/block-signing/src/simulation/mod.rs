//! A federation in virtual time: real machines, with a network, stores, guards, nodes and clocks
//! that fail as the seed says, and operators that lie.
//!
//! Everything is decided by the seed, so a failing one replays:
//!
//! ```
//! use federation_block_signing::simulation::{Scenario, run};
//!
//! let summary = run(&Scenario::from_seed(7)).expect("no schedule breaks the protocol");
//! assert!(summary.blocks > 0);
//! ```
//!
//! A run has a storm, in which everything in [`Scenario`] goes wrong, and a calm after it, in
//! which the federation must make blocks again. After every step it is checked that
//! - no honest operator signs two blocks of one height, nor any block that was not decided;
//! - all honest operators decide, sign and accept the same block at each height;
//! - no two blocks of one height can get M signatures, be all liars willing to sign both;
//! - no honest operator is accused;
//! - no height leaves more in a store than the window of rounds allows, however long it takes.

mod air;
mod chain;
mod check;
mod exercise;
mod liar;
mod network;
mod node;
mod operator;
mod requests;
mod rng;
mod scenario;
mod step;
mod storage;
#[cfg(test)]
mod tests;
mod uplink;
mod validity;
mod weather;
mod world;

pub use check::{Breach, Failure};
pub use exercise::{Exercise, Exercised};
pub use network::Frame;
pub use scenario::Scenario;
pub use world::{Summary, World, run};
