//! Bytes as a write-ahead log: one segment of any bytes, and variants of a good log of two.

use flatrec::log_fuzzing::{replay_bytes, replay_variant};

/// Feeds these bytes.
///
/// # Panics
/// If what is accepted cannot be.
pub(crate) fn run(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, replay) in [("raw", replay_bytes as fn(&_, &_) -> _), ("variant", replay_variant)] {
        let path = dir.path().join(name);
        std::fs::write(&path, b"").expect("a file");
        // Refusing is as good as accepting; panicking, or accepting what cannot be, is not.
        let _ = replay(&path, data);
    }
}
