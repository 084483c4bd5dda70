//! Reads the bytes as the beginning of a file: header slots, schema, and the values of a record.

use flatrec::fuzzing::{read_file, variant};

/// Runs the target on these bytes.
///
/// # Panics
/// If flatrec accepts something and would write it differently.
pub(crate) fn run(data: &[u8]) {
    // The parser may refuse or accept the bytes, but must not panic or write back other bytes.
    let _ = read_file(data);
    let _ = read_file(&variant(data));
}
