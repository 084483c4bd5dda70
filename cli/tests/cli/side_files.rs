//! Copies of a store that lack a side file, or have that of another store: what `info` and `verify`
//! say, as far as the store's file can tell.

use flatrec::{Durability, DynDatabase};

use super::*;

/// A store of three numbers with checksums, and its copy in `copy.rec`, as `cp` makes it with
/// the side files of the suffixes.
fn copied(place: &Place, name: &str, suffixes: &[&str]) -> PathBuf {
    for suffix in [&[""], suffixes].concat() {
        let from = place.path(&format!("{name}{suffix}"));
        std::fs::copy(from, place.path(&format!("copy.rec{suffix}"))).unwrap();
    }
    place.path("copy.rec")
}

fn numbers(place: &Place, name: &str) -> PathBuf {
    place.write("in.csv", "n\n1\n2\n3\n");
    place.ok(["load", "in.csv", name]);
    place.path(name)
}

/// The line of `info` about the checksums.
#[track_caller]
fn checksums(place: &Place, name: &str) -> String {
    let text = place.ok(["info", name]);
    let line = text.lines().find(|line| line.starts_with("checksums ")).unwrap();
    line.trim_start_matches("checksums ").trim().to_owned()
}

/// Finds commands that do not mention that the checksums did not come along.
#[test]
fn a_copy_without_its_checksums_is_noticed() {
    let place = Place::new();
    numbers(&place, "n.rec");
    copied(&place, "n.rec", &["-sum"]);
    let sound = "3 records, checksums of 1 block, no doubts";
    assert_eq!(place.ok(["verify", "copy.rec"]), format!("copy.rec: {sound}\n"));
    assert_eq!(checksums(&place, "copy.rec"), "1 block");

    std::fs::remove_file(place.path("copy.rec-sum")).unwrap();
    assert_eq!(checksums(&place, "copy.rec"), "none: there is no -sum file beside the store");
    assert_eq!(
        place.ok(["verify", "copy.rec"]),
        "copy.rec: 3 records, no checksum file, no doubts\n"
    );
    // What the documents advise.
    place.ok(["backup", "n.rec", "whole.rec"]);
    assert_eq!(place.ok(["verify", "whole.rec"]), format!("whole.rec: {sound}\n"));
}

/// Finds a doubt about the checksums of another store, or of another time, without a way out.
#[test]
fn checksums_of_another_store_or_time_are_a_doubt_with_advice() {
    let place = Place::new();
    numbers(&place, "n.rec");
    numbers(&place, "other.rec");
    std::fs::copy(place.path("n.rec-sum"), place.path("old-sum")).unwrap();
    place.ok(["set", "n.rec", "0", "n=7"]);
    for (sums, in_info, doubt) in [
        ("other.rec-sum", "belongs to another store", "the checksum file belongs to another store"),
        ("old-sum", "was not updated when the store changed", "without updating the checksum file"),
    ] {
        let copy = copied(&place, "n.rec", &[]);
        std::fs::copy(place.path(sums), place.path("copy.rec-sum")).unwrap();
        let line = checksums(&place, "copy.rec");
        assert_eq!(line, format!("none (the checksum file {in_info}); verify says what to do"));
        let before = bytes(&copy);
        let ran = place.run(["verify", "copy.rec"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.stdout.contains(doubt), "{ran:?}");
        assert_eq!(
            ran.stderr,
            "flatrec: copy.rec: 1 doubt in 3 records\n\
             flatrec: to have checksums again: put back the -sum file that lay beside this store \
             (copy both, or use flatrec backup), or make new ones of the records as they are: \
             flatrec verify copy.rec --rebuild\n"
        );
        assert!(bytes(&copy) == before);
        place.ok(["verify", "copy.rec", "--rebuild"]);
        let text = place.ok(["verify", "copy.rec"]);
        assert_eq!(text, "copy.rec: 3 records, checksums of 1 block, no doubts\n");
    }
}

/// Finds a copy that opens without the commits in the log, or an error that does not say how to
/// copy a store.
#[test]
fn a_copy_without_its_log_is_noticed() {
    let place = Place::new();
    let path = numbers(&place, "n.rec");
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_packed(&[7; 8]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    copied(&place, "n.rec", &["-sum"]);
    place.ok(["backup", "n.rec", "whole.rec"]);

    let why = "the log that the header names is missing";
    let advice = "or move or copy it together with the data file, under the same name, or copy the \
                  store with backup";
    let text = place.error(["info", "copy.rec"]);
    assert!(text.contains(why) && text.contains(advice), "{text}");
    let ran = place.run(["verify", "copy.rec"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.contains(why) && ran.stdout.contains(advice), "{ran:?}");
    assert_eq!(ran.stderr, "flatrec: copy.rec: 1 doubt in 3 records\n");
    assert_eq!(place.ok(["scan", "whole.rec", "--count"]), "4\n");

    // With its log it has all.
    copied(&place, "n.rec", &["-sum", "-wal-1"]);
    database.close().unwrap();
    assert_eq!(place.ok(["scan", "copy.rec", "--count"]), "4\n");
    assert!(place.ok(["verify", "copy.rec"]).ends_with("no doubts\n"));
}
