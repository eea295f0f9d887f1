//! Configuration files of nodes, sweeps of initial coins, and manifests.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::genesis::check(bytes));
