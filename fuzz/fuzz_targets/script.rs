//! Scripts, signatures and keys as text or bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::script::check(bytes));
