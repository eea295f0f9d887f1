//! The classic protocol, that of the 2019 Python federation: run by its flags, or until the height at
//! which the federation switches to `agreed`.

mod args;
mod flags;
mod reissuance;
mod until;

pub(crate) use self::{args::ClassicArgs, flags::run, until::run_until};
