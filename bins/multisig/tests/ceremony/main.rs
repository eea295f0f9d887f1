//! `multisig ceremony` by five parties.

mod chain;
mod common;
mod compare;
mod five;
mod module;
mod sweep;
