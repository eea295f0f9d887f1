//! A federation in virtual time: real machines, with a network, stores, guards, nodes and clocks
//! that fail as the seed determines, and operators that lie.
//!
//! The seed determines everything, so a failing run can be reproduced:
//!
//! ```
//! use federation_block_signing::simulation::{Scenario, run};
//!
//! let summary = run(&Scenario::from_seed(7)).expect("no schedule breaks the protocol");
//! assert!(summary.blocks > 0);
//! ```
//!
//! A run has a fault phase, in which everything in [`Scenario`] goes wrong, and a quiescent phase
//! after it, in which the federation must make blocks again. Checked after every step:
//! - no honest operator signs two blocks of one height, or any block that was not decided;
//! - all honest operators decide, sign and accept the same block at each height;
//! - no two blocks of one height can get M signatures, even if all liars sign both;
//! - no honest operator is accused;
//! - no height leaves more in a store than the window of rounds allows, however long it takes.

mod chain;
mod check;
mod coverage;
mod delivery;
mod faults;
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
mod world;

pub use check::{Failure, Violation};
pub use coverage::{Coverage, CoveragePoint};
pub use network::Frame;
pub use scenario::Scenario;
pub use world::{Summary, World, run};
