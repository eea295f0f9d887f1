//! Messages and certificates of a ceremony, as text from other parties.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::ceremony::check(bytes));
