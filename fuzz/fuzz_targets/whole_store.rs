//! What this feeds is in `tests/support/fuzzed/whole_store.rs`, where the tests have it, too.
#![no_main]

#[path = "../../tests/support/every_way.rs"]
mod every_way;
#[path = "../../tests/support/patched.rs"]
mod patched;
#[path = "../../tests/support/fuzzed/whole_store.rs"]
mod whole_store;

libfuzzer_sys::fuzz_target!(|data: &[u8]| whole_store::run(data));
