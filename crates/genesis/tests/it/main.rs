//! What nodes make of settings, recorded and live, and chains that cannot live.

mod common;
mod manifest;
mod problems;
mod real_node;
mod recorded;
