//! The code is in `tests/support/fuzzed/input_text.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/fuzzed/input_text.rs"]
mod input_text;
#[path = "../../tests/support/packed.rs"]
#[allow(dead_code, reason = "the target makes no UTF-16")]
mod packed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| input_text::run(data));
