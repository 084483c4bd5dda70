//! Changes a store's files together (data, two segments of a live log, and checksums), opens them
//! and uses them in every way.

use super::{every_way, patched};

/// Runs the target on these bytes.
///
/// # Panics
/// If flatrec breaks a promise.
pub(crate) fn run(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    every_way::open_every_way(dir.path(), &patched::changed(data));
}
