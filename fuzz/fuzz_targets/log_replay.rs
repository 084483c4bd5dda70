//! Bytes as a write-ahead log: one segment of any bytes, and variants of a good log of two.
#![no_main]

use flatrec::log_fuzzing::{replay_bytes, replay_variant};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, replay) in [("raw", replay_bytes as fn(&_, &_) -> _), ("variant", replay_variant)] {
        let path = dir.path().join(name);
        std::fs::write(&path, b"").expect("a file");
        // Refusing is as good as accepting; panicking, or accepting what cannot be, is not.
        let _ = replay(&path, data);
    }
});
