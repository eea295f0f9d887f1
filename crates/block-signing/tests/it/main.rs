//! The protocol from outside: steps of one machine, whole federations, encodings.

mod codec;
mod counterexample;
mod driver;
mod observer;
mod predecessors;
mod restart;
mod retransmission;
mod rounds;
mod signing;
mod simulation;
mod steps;
