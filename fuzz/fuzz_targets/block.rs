//! Blocks of the three dialects: walking over the transactions and parsing them agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::block::check(bytes));
