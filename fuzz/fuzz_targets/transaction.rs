//! Transactions of the three dialects.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::transaction::check(bytes));
