//! What this feeds is in `tests/common/fuzzed/log_replay.rs`, where the tests have it, too.
#![no_main]

#[path = "../../tests/common/fuzzed/log_replay.rs"]
mod log_replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| log_replay::run(data));
