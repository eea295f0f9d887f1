//! Scheduled reissuance by whole federations.
//!
//! With real nodes: `ELEMENTSD=.. OCEAND=.. cargo test -p federation-local --test reissuance --
//! --ignored`.

mod course;
mod hanging;
mod liar;
mod scene;
mod trouble;
