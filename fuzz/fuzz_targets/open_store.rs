//! What this feeds is in `tests/support/fuzzed/open_store.rs`, where the tests have it, too.
#![no_main]

#[path = "../../tests/support/fuzzed/open_store.rs"]
mod open_store;

libfuzzer_sys::fuzz_target!(|data: &[u8]| open_store::run(data));
