//! Headers of the three dialects: one header has one encoding, and its hash no signatures.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::header::check(bytes));
