//! Bytes as the front of a file: header slots, schema, and the values of a record.

use flatrec::fuzzing::{read_file, variant};

/// Feeds these bytes.
///
/// # Panics
/// If something that is accepted would be written in another way.
pub(crate) fn run(data: &[u8]) {
    // Refusing is as good as accepting; panicking, or writing back something else, is not.
    let _ = read_file(data);
    let _ = read_file(&variant(data));
}
