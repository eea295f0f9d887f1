//! What envelopes carry: kind, height and round, then the payload. One message has one encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::message::check(bytes));
