//! The content of envelopes: kind, height and round, then the payload. Each message has one
//! encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::message::check(bytes));
