//! Bytes as the front of a file: header slots, schema, and the values of a record.
#![no_main]

use flatrec::fuzzing::{read_file, variant};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Refusing is as good as accepting; panicking, or writing back something else, is not.
    let _ = read_file(data);
    let _ = read_file(&variant(data));
});
