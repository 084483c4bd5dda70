//! A store's files, changed together: data, two segments of a live log, and checksums, opened and
//! used in every way.
#![no_main]

#[path = "../../tests/common/every_way.rs"]
mod every_way;
#[path = "../../tests/common/patched.rs"]
mod patched;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a directory");
    every_way::open_every_way(dir.path(), &patched::changed(data));
});
