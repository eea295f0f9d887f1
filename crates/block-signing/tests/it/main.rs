//! The protocol from outside: steps of one machine, whole federations, encodings.

mod codec;
mod counterexample;
mod driver;
mod observer;
mod predecessors;
mod repeats;
mod restart;
mod rounds;
mod signing;
mod simulation;
mod steps;
