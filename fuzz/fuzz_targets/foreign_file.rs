//! The code is in `tests/support/fuzzed/foreign_file.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/fuzzed/foreign_file.rs"]
mod foreign_file;

libfuzzer_sys::fuzz_target!(|data: &[u8]| foreign_file::run(data));
