//! The code is in `tests/support/fuzzed/log_replay.rs`, which the tests use, too.
#![no_main]

#[path = "../../tests/support/fuzzed/log_replay.rs"]
mod log_replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| log_replay::run(data));
