//! Ceremonies with five parties.

mod certificate;
mod common;
mod difference;
mod evidence;
mod five;
mod messages;
mod sweep;
