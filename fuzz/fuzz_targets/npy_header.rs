//! The code is in `tests/support/fuzzed/npy_header.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/fuzzed/npy_header.rs"]
mod npy_header;

libfuzzer_sys::fuzz_target!(|data: &[u8]| npy_header::run(data));
