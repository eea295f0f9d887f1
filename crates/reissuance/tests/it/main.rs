//! Reissuance over whole chains, without a node.

mod common;
mod crumbs;
mod foreign;
mod ledger;
mod ocean;
mod plans;
mod stored;
