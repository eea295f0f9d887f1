//! Ceremonies of five.

mod certificate;
mod common;
mod messages;
mod sweep;
