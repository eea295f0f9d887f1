//! Operators of this crate beside operators that behave as the Python program does.
#![expect(unreachable_pub, reason = "modules of one test program")]

mod air;
mod chain;
mod documents;
mod faulty;
mod kafka;
mod mixtures;
mod python;
mod sockets;
