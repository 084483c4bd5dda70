//! The code is in `tests/support/fuzzed/open_store.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/fuzzed/open_store.rs"]
mod open_store;

libfuzzer_sys::fuzz_target!(|data: &[u8]| open_store::run(data));
