//! The files of an operator: the first byte selects which of the two is replaced by the rest.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::config::check(bytes));
