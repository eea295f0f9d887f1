//! Records of an altered store: what decodes is encoded so that it decodes to the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::record::check(bytes));
