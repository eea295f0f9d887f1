//! The protocol of the 2019 Python federation: run by its flags, and run until a height at which
//! the federation changes to `agreed`.

mod args;
mod flags;
mod reissuance;
mod until;

pub(crate) use self::{args::ClassicArgs, flags::run, until::run_until};
