//! Files written by `federation guard export`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::guard::check(bytes));
