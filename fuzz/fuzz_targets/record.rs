//! Records of a modified store: those that decode round-trip.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::record::check(bytes));
