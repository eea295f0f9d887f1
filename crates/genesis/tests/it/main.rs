//! Genesis blocks against recorded and live nodes, and chains that could not work.

mod common;
mod manifest;
mod problems;
mod real_node;
mod recorded;
