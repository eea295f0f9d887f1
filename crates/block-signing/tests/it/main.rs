//! The protocol from outside: steps of one machine, whole federations, encodings.

mod codec;
#[cfg(feature = "simulation")]
mod counterexample;
mod driver;
mod observer;
#[cfg(feature = "simulation")]
mod predecessors;
mod restart;
mod retransmission;
mod rounds;
mod signing;
#[cfg(feature = "simulation")]
mod simulation;
mod steps;
mod table;
