//! Stored ledgers of reissuances.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::reissuance::check(bytes));
