//! Headers of the three dialects: each has one encoding, and a hash independent of its signatures.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::header::check(bytes));
