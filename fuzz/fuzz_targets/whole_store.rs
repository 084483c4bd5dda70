//! What this feeds is in `tests/common/fuzzed/whole_store.rs`, where the tests have it, too.
#![no_main]

#[path = "../../tests/common/every_way.rs"]
mod every_way;
#[path = "../../tests/common/patched.rs"]
mod patched;
#[path = "../../tests/common/fuzzed/whole_store.rs"]
mod whole_store;

libfuzzer_sys::fuzz_target!(|data: &[u8]| whole_store::run(data));
