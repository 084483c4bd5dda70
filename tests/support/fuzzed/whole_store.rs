//! A store's files, changed together: data, two segments of a live log, and checksums, opened and
//! used in every way.

use super::{every_way, patched};

/// Feeds these bytes.
///
/// # Panics
/// If something is wrong with us.
pub(crate) fn run(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    every_way::open_every_way(dir.path(), &patched::changed(data));
}
