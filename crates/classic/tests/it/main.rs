//! Operators of this crate together with operators that behave like the Python program.
#![expect(unreachable_pub, reason = "modules of one test program")]

mod chain;
mod documents;
mod faulty;
mod kafka;
mod mixtures;
mod network;
mod python;
mod sockets;
