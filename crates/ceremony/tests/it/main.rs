//! Ceremonies of five.

mod certificate;
mod common;
mod difference;
mod evidence;
mod five;
mod messages;
mod sweep;
