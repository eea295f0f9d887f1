//! Results of RPC calls, in each type that the client reads them into. Bodies around them are read
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::rpc::check(bytes));
