//! Runs the fuzz targets on the stored inputs (`fuzz/seeds`), to notice a target that fails on an
//! old finding, or that does not compile.

use std::fs;
use std::path::Path;

use crate::os::skip::skip;

#[path = "../../../tests/support/every_way.rs"]
mod every_way;
#[cfg(feature = "exchange")]
#[path = "../../../tests/support/packed.rs"]
#[allow(dead_code, reason = "the target makes no UTF-16")]
mod packed;
#[path = "../../../tests/support/patched.rs"]
mod patched;

#[cfg(feature = "exchange")]
#[path = "../../../tests/support/fuzzed/foreign_file.rs"]
mod foreign_file;
#[path = "../../../tests/support/fuzzed/header_schema.rs"]
mod header_schema;
#[cfg(feature = "exchange")]
#[path = "../../../tests/support/fuzzed/input_text.rs"]
mod input_text;
#[path = "../../../tests/support/fuzzed/log_replay.rs"]
mod log_replay;
#[cfg(feature = "exchange")]
#[path = "../../../tests/support/fuzzed/npy_header.rs"]
mod npy_header;
#[path = "../../../tests/support/fuzzed/open_store.rs"]
mod open_store;
#[path = "../../../tests/support/fuzzed/values_text.rs"]
mod values_text;
#[path = "../../../tests/support/fuzzed/whole_store.rs"]
mod whole_store;

/// Feeds one of this number of inputs: under Wine each access to a file takes tens of milliseconds.
const EVERY: usize = if cfg!(windows) { 8 } else { 1 };

/// Feeds the stored inputs of a target, and prints the name of each before it runs.
fn feed(target: &str, run: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    if !seeds.exists() {
        return skip!("the crate's package has no fuzz/seeds");
    }
    let entries = fs::read_dir(seeds.join(target)).expect("inputs of the target");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no stored inputs for {target}");
    // The empty input leaves the target's data unchanged, which must be accepted.
    run(b"");
    for path in paths.iter().step_by(EVERY) {
        println!("{}", path.display());
        run(&fs::read(path).expect("an input"));
    }
}

#[test]
fn header_schema_passes_its_stored_inputs() {
    feed("header_schema", header_schema::run);
}

#[test]
fn values_text_passes_its_stored_inputs() {
    feed("values_text", values_text::run);
}

#[test]
fn open_store_passes_its_stored_inputs() {
    feed("open_store", open_store::run);
}

/// One input once stopped the target: unsorted record numbers, which are legal. Another was
/// accepted although a commit has two images of one record.
#[test]
fn log_replay_passes_its_stored_inputs() {
    feed("log_replay", log_replay::run);
}

#[test]
fn whole_store_passes_its_stored_inputs() {
    feed("whole_store", whole_store::run);
}

#[test]
#[cfg(feature = "exchange")]
fn input_text_passes_its_stored_inputs() {
    feed("input_text", input_text::run);
}

#[test]
#[cfg(feature = "exchange")]
fn npy_header_passes_its_stored_inputs() {
    feed("npy_header", npy_header::run);
}

#[test]
#[cfg(feature = "exchange")]
fn foreign_file_passes_its_stored_inputs() {
    feed("foreign_file", foreign_file::run);
}
