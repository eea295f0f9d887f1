//! `multisig ceremony` with five parties.

mod chain;
mod common;
mod compare;
mod five;
mod guide;
mod module;
mod sweep;
