//! The code is in `tests/support/fuzzed/whole_store.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/every_way.rs"]
mod every_way;
#[path = "../../tests/support/patched.rs"]
mod patched;
#[path = "../../tests/support/fuzzed/whole_store.rs"]
mod whole_store;

libfuzzer_sys::fuzz_target!(|data: &[u8]| whole_store::run(data));
