//! Results of RPC calls, parsed as each of the client's types.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| federation_fuzz::rpc::check(bytes));
