//! Reads the bytes as a log: as one segment, and as changes of a good log of two segments.

use flatrec::log_fuzzing::{replay_bytes, replay_variant};

/// Runs the target on these bytes.
///
/// # Panics
/// If replay accepts an impossible log.
pub(crate) fn run(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, replay) in [("raw", replay_bytes as fn(&_, &_) -> _), ("variant", replay_variant)] {
        let path = dir.path().join(name);
        std::fs::write(&path, b"").expect("a file");
        // Replay may refuse or accept the bytes, but must not panic or accept an impossible log.
        let _ = replay(&path, data);
    }
}
