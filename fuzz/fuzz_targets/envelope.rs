//! Frames from the wire: the head alone and the whole envelope agree, and nothing is lost.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::envelope::check(bytes));
