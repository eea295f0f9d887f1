//! Blocks of the three dialects: reading and parsing their transactions agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::block::check(bytes));
