//! The inputs that are kept of fuzzing (`fuzz/seeds`), fed as the fuzz targets feed them: so that a
//! target that fails on what it once found is seen, and one that does not compile, too.

use std::fs;
use std::path::Path;

use crate::os::skip::skip;

#[path = "../../../tests/support/every_way.rs"]
mod every_way;
#[path = "../../../tests/support/patched.rs"]
mod patched;

#[path = "../../../tests/support/fuzzed/header_schema.rs"]
mod header_schema;
#[path = "../../../tests/support/fuzzed/log_replay.rs"]
mod log_replay;
#[path = "../../../tests/support/fuzzed/open_store.rs"]
mod open_store;
#[path = "../../../tests/support/fuzzed/values_text.rs"]
mod values_text;
#[path = "../../../tests/support/fuzzed/whole_store.rs"]
mod whole_store;

/// Under Wine each look at a file takes tens of milliseconds, so that one in so many is fed.
const EVERY: usize = if cfg!(windows) { 8 } else { 1 };

/// Feeds every input that is kept of a target. The name of the one that fails is printed.
fn feed(target: &str, run: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    if !seeds.exists() {
        return skip!("the crate's package has no fuzz/seeds");
    }
    let entries = fs::read_dir(seeds.join(target)).expect("inputs of the target");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "nothing is kept of {target}");
    // No input, too: what is varied is good then, and must be accepted.
    run(b"");
    for path in paths.iter().step_by(EVERY) {
        println!("{}", path.display());
        run(&fs::read(path).expect("an input"));
    }
}

#[test]
fn header_schema_holds_for_what_is_kept() {
    feed("header_schema", header_schema::run);
}

#[test]
fn values_text_holds_for_what_is_kept() {
    feed("values_text", values_text::run);
}

#[test]
fn open_store_holds_for_what_is_kept() {
    feed("open_store", open_store::run);
}

/// Among it is the input that once stopped the target, record numbers in no order, which are legal;
/// and one in which a commit has two images of a record, which was accepted.
#[test]
fn log_replay_holds_for_what_is_kept() {
    feed("log_replay", log_replay::run);
}

#[test]
fn whole_store_holds_for_what_is_kept() {
    feed("whole_store", whole_store::run);
}
