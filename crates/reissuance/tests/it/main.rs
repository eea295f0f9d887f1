//! Reissuance over whole chains, without a node.

mod common;
mod ledger;
mod ocean;
mod plans;
