//! The code is in `tests/support/fuzzed/values_text.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/fuzzed/values_text.rs"]
mod values_text;

libfuzzer_sys::fuzz_target!(|data: &[u8]| values_text::run(data));
