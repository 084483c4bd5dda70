//! `load` with guessed types: the store, the output and the messages are those of two passes.

use std::fs;

use super::resume::cut_by;
use super::*;

/// Everything that a load leaves and prints, but for the time and the random bytes of the header.
fn outcome(place: &Place, guess_from: &str, more: &[&str]) -> (Ran, Vec<String>, Vec<Vec<u8>>) {
    for name in place.files() {
        if name != "in.csv" {
            fs::remove_file(place.path(&name)).unwrap();
        }
    }
    let args = ["load", "in.csv", "out.rec", "--guess-from", guess_from];
    let mut ran = place.run([&args[..], more].concat());
    let lines = ran.stdout.lines().filter(|line| !line.starts_with("time "));
    ran.stdout = lines.map(|line| format!("{line}\n")).collect();
    let files = place.files();
    let records = |name: &String| {
        let bytes = fs::read(place.path(name)).unwrap();
        match name.ends_with(".rec") {
            true => bytes[65_536..].to_vec(),
            false if name.ends_with(".csv") => bytes,
            false => bytes.len().to_le_bytes().to_vec(),
        }
    };
    let contents = files.iter().map(records).collect();
    (ran, files, contents)
}

#[track_caller]
fn same_in_two_passes(csv: &str, more: &[&str]) -> Ran {
    let place = Place::new();
    place.write("in.csv", csv);
    let expected = outcome(&place, "0", more);
    for guess_from in ["1", "200", "100000"] {
        let guessed = outcome(&place, guess_from, more);
        assert_eq!(guessed.0.status, expected.0.status, "{guess_from} of {csv}");
        assert_eq!(guessed.0.stdout, expected.0.stdout, "{guess_from} of {csv}");
        assert_eq!(guessed.0.stderr, expected.0.stderr, "{guess_from} of {csv}");
        assert_eq!(guessed.1, expected.1, "{guess_from} of {csv}");
        assert_eq!(guessed.2, expected.2, "{guess_from} of {csv}");
    }
    expected.0
}

/// `rows` rows of a number and a name, the last of which is `last`.
fn rows(last: &str) -> String {
    let rows: String = (0..200).map(|n| format!("{n},name {}\n", n % 90 + 10)).collect();
    format!("id,name\n{rows}{last}\n")
}

/// Finds a load whose result, messages or status depend on the sample.
#[test]
fn a_load_does_not_depend_on_its_sample() {
    assert_eq!(same_in_two_passes(&rows("200,name 20"), &[]).status, Some(0));
    assert_eq!(same_in_two_passes(&rows("200,"), &[]).status, Some(0));
    assert_eq!(same_in_two_passes(&rows("2.5,a longer name"), &["--narrow"]).status, Some(0));
    let strays = same_in_two_passes(&rows("NA,name 20"), &[]);
    assert!(
        strays.stderr.contains("text only because of 1 value, \"NA\" on line 202"),
        "{strays:?}"
    );
    same_in_two_passes(&rows("NA,name 20"), &["--null", "NA", "--deletes"]);

    let bad = same_in_two_passes(&rows("200,name,20"), &[]);
    assert_eq!(bad.status, Some(1), "{bad:?}");
    assert!(bad.stderr.contains("line 202: the row has 3 fields"), "{bad:?}");
    same_in_two_passes(&rows("200,name,20"), &["--rejects", "bad.csv"]);
    let bad = same_in_two_passes(&rows("200,\"name 20"), &["--type", "id=uint8"]);
    assert!(bad.stderr.contains("never closed"), "{bad:?}");
    let bad = same_in_two_passes(&rows("1e3,name 20"), &["--type", "id=uint8"]);
    assert_eq!(bad.status, Some(1), "{bad:?}");
    same_in_two_passes(&rows("1e3,name 20"), &["--type", "id=uint8", "--rejects", "bad.csv"]);

    let years = rows("2001,name 20").replace("id,name", "2001,name");
    let header = same_in_two_passes(&years, &[]);
    assert!(header.stderr.contains("names in the header such as"), "{header:?}");
    let numbers = same_in_two_passes("1,2\n3,4\n5,6\n", &[]);
    assert_eq!(numbers.status, Some(1), "{numbers:?}");
}

/// Finds an interrupted load of another store that a guess throws away before it is sure.
#[test]
fn an_unfinished_load_stays_until_the_types_are_known() {
    let place = Place::new();
    place.write("in.csv", rows("200,name,20"));
    place.write("out.rec-unfinished-progress", "flatrec unfinished load 3 00000000\n{}\n");
    let ran = place.run(["load", "in.csv", "out.rec", "--guess-from", "100000"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(place.path("out.rec-unfinished-progress").exists(), "{ran:?}");
}

/// Rows for some fifty blocks of the loader; the last is `last`.
fn many_rows(last: &str) -> String {
    let rows: String = (0..400_000).map(|n| format!("{n},a name of some length\n")).collect();
    format!("id,name\nnone,a name\n{rows}{last}\n")
}

fn records(place: &Place) -> Vec<u8> {
    fs::read(place.path("out.rec")).unwrap()[65_536..].to_vec()
}

/// Finds a resumed load that takes the types of a sample for those of all rows, or does not tell of
/// them.
#[test]
fn a_resumed_load_makes_sure_of_its_types() {
    const LONGER: &str = "400000,a longer name than the others";
    for (last, is_right) in [("400000,a name", true), (LONGER, false)] {
        let place = Place::new();
        place.write("in.csv", many_rows(last));
        let in_two = place.run(["load", "in.csv", "out.rec", "--guess-from", "0", "--deletes"]);
        let note = "flatrec: column \"id\" is text only because of 1 value, \"none\" on line 2";
        assert!(in_two.stderr.starts_with(note), "{in_two:?}");
        let (expected, schema) = (records(&place), place.ok(["schema", "out.rec"]));
        fs::remove_file(place.path("out.rec")).unwrap();
        let args = ["load", "in.csv", "out.rec", "--guess-from", "1000", "--deletes"];
        let args = [&args[..], &["--progress-every", "1"]].concat();
        let cut = cut_by(&place, &args, |child| child.kill().unwrap());
        assert!(!cut.stderr.contains(note), "{cut:?}");
        assert!(place.path("out.rec-unfinished").exists() && !place.path("out.rec").exists());

        let ran = place.run([&args[..], &["--resume"]].concat());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(ran.stdout.contains("\nresumed   behind row "), is_right, "{ran:?}");
        let discarded = "the unfinished load of out.rec is discarded";
        assert_eq!(ran.stderr.contains(discarded), !is_right, "{ran:?}");
        assert!(ran.stderr.contains(note), "{ran:?}");
        assert!(records(&place) == expected, "{last}: the records differ");
        assert_eq!(place.ok(["schema", "out.rec"]), schema);
        assert_eq!(place.files(), ["in.csv", "out.rec", "out.rec-lock", "out.rec-sum"]);
    }
}
