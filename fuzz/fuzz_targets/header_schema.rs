//! The code is in `tests/support/fuzzed/header_schema.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/fuzzed/header_schema.rs"]
mod header_schema;

libfuzzer_sys::fuzz_target!(|data: &[u8]| header_schema::run(data));
