//! Ceremonies with five parties, and the bundles that follow from them.

mod bundle;
mod certificate;
mod common;
mod difference;
mod evidence;
mod five;
mod messages;
mod sweep;
