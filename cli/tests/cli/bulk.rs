//! `set` and `delete` of many records: by a condition, or by a file of numbers.

use super::*;

/// A store `n.rec` with deletes: n from 0 to 99, and a nullable text.
fn numbers() -> Place {
    let place = Place::new();
    let rows: String = (0..100).map(|n| format!("{n},t{n}\n")).collect();
    place.write("in.csv", format!("n,text\n{rows}"));
    place.ok(["load", "in.csv", "n.rec", "--deletes"]);
    place
}

fn count(place: &Place, condition: &str) -> u64 {
    place.ok(["scan", "n.rec", "--count", "--where", condition]).trim().parse().unwrap()
}

/// Finds a bulk change that touches another record, or more than one commit.
#[test]
fn a_condition_chooses_the_records_to_change() {
    let place = numbers();
    let commit = || {
        let info = place.ok(["info", "n.rec", "--json"]);
        serde_json::from_str::<serde_json::Value>(&info).unwrap()["last_commit"].as_u64().unwrap()
    };
    let before = commit();
    let set = ["set", "n.rec", "--where", "n >= 90 OR -1 > n", "text=old", "n=-7"];
    assert_eq!(
        place.ok([&set[..], &["--dry-run"]].concat()),
        "10 records of n.rec would be changed\n"
    );
    assert_eq!((commit(), count(&place, "n = -7")), (before, 0));
    assert_eq!(place.ok(set), "10 records of n.rec were changed\n");
    assert_eq!((count(&place, "n = -7 AND text = 'old'"), count(&place, "text = 'old'")), (10, 10));
    assert_eq!(commit(), before + 1);
    let delete = ["delete", "n.rec", "--where", "n < 0"];
    assert_eq!(
        place.ok([&delete[..], &["--dry-run"]].concat()),
        "10 records of n.rec would be deleted, 90 left\n"
    );
    assert_eq!(place.ok(delete), "10 records of n.rec were deleted, 90 are left\n");
    assert_eq!(place.ok(delete), "0 records of n.rec were deleted, 90 are left\n");
    assert_eq!(place.ok(set), "0 records of n.rec were changed\n");
    assert_eq!(commit(), before + 2, "a commit without a change");
    assert!(place.ok(["verify", "n.rec"]).contains("90 records, 10 deleted"));
}

/// Finds a file of numbers that is read wrongly, or whose fault is not named, or an error that
/// leaves a part of the changes.
#[test]
fn a_file_of_numbers_chooses_the_records() {
    let place = numbers();
    place.write("ids.txt", "\u{feff}3\r\n 5 \n\n7");
    assert_eq!(
        place.ok(["set", "n.rec", "--ids", "ids.txt", "n=-3"]),
        "3 records of n.rec were changed\n"
    );
    assert_eq!(count(&place, "n = -3 AND text IN ('t3', 't5', 't7')"), 3);
    let piped = |command: &[&str], input: &str| {
        let mut command = place.command(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), stderr)
    };
    let (status, said, _) = piped(&["delete", "n.rec", "--ids", "-"], "3\n5\n");
    assert_eq!((status, &*said), (Some(0), "2 records of n.rec were deleted, 98 are left\n"));
    let (_, _, said) = piped(&["set", "n.rec", "--ids", "-", "n=1"], "1\n5\n");
    assert_eq!(said, "flatrec: standard input, line 2: n.rec: record 5 was deleted\n");
    assert_eq!(count(&place, "n = 1"), 1, "a part of the changes was made");
    for (text, why) in [
        ("1\n\n-2\n", "ids.txt, line 3: \"-2\" is not a record number"),
        ("1\n100\n", "ids.txt, line 2: n.rec has no record 100: its last is 99"),
        ("1\n2\n1\n", "ids.txt, line 3: record 1 is named twice"),
        ("n\n1\n", "ids.txt, line 1: \"n\" is not a record number"),
        ("1\n18446744073709551616\n", "ids.txt, line 2: "),
    ] {
        place.write("ids.txt", text);
        for command in [&["set", "n.rec", "text=x"][..], &["delete", "n.rec"]] {
            for more in [&["--ids", "ids.txt"][..], &["--ids", "ids.txt", "--dry-run"]] {
                let said = place.error([command, more].concat());
                assert!(said.starts_with(why), "{command:?}: {said}");
            }
        }
        assert_eq!(count(&place, "text = 'x'"), 0);
    }
    assert!(place.error(["set", "n.rec", "--ids", "none", "n=1"]).starts_with("open none: "));
}

/// An earlier version checked names, values and deletes only in the first record that matched, so
/// that a wrong command line passed if no record did.
#[test]
fn a_wrong_change_is_an_error_although_no_record_matches() {
    let place = numbers();
    place.ok(["load", "in.csv", "plain.rec"]);
    place.write("none.txt", "\n");
    let before = bytes(&place.path("n.rec"));
    for more in [&[][..], &["--dry-run"]] {
        for choice in [["--where", "n > 1000"], ["--ids", "none.txt"]] {
            let set = |words: &[&str]| {
                let args = [&["set", "n.rec"][..], words, &choice[..], more].concat();
                place.error(args)
            };
            assert_eq!(
                set(&["m=1"]),
                "set n.rec: invalid argument: no field \"m\" (the fields are n, text)"
            );
            assert!(set(&["n=x"]).starts_with("set n.rec: invalid value: field n"));
            assert!(set(&["n="]).starts_with("set n.rec: invalid value: field n"));
            assert!(set(&["--null", "n"]).starts_with("set n.rec: invalid value: field n"));
            assert!(set(&["n=1", "--null", "m"]).contains("no field \"m\""));
            assert_eq!(set(&["n=1", "n=2"]), "field \"n\" is set twice");
            let deleted = [&["delete", "plain.rec"][..], &choice[..], more].concat();
            assert!(place.error(deleted).contains("was made without deletes"));
        }
    }
    assert!(bytes(&place.path("n.rec")) == before);
}

/// Finds a bulk change that is half made because a value does not fit, or a dry run that says that
/// it does.
#[test]
fn a_value_that_does_not_fit_changes_nothing() {
    let place = numbers();
    for more in [&[][..], &["--dry-run"]] {
        let set = |words: &[&str]| place.error([&["set", "n.rec"], words, more].concat());
        let said = set(&["--where", "n > 50", "n=x"]);
        // No record is at fault: the value is wrong for all of them, before any is chosen.
        assert!(said.starts_with("set n.rec: invalid value: field n"), "{said}");
        assert!(
            set(&["--where", "n > 50", "n=1.5"]).ends_with("(--round stores the nearest value)")
        );
        assert!(set(&["--where", "n > 50", "n=1", "n=2"]).contains("set twice"));
        assert!(set(&["--where", "text > 50", "n=1"]).contains("cannot be compared"));
    }
    assert_eq!(
        place.ok(["set", "n.rec", "--where", "n > 97", "n=1.5", "--round"]),
        "n: 2 (rounded from \"1.5\")\n2 records of n.rec were changed\n"
    );
    place.ok(["load", "in.csv", "plain.rec"]);
    for more in [&[][..], &["--dry-run"]] {
        let said = place.error([&["delete", "plain.rec", "--where", "n = 1"], more].concat());
        assert!(said.contains("was made without deletes"), "{said}");
    }
    assert_eq!(
        place.ok(["set", "n.rec", "4,6", "n=0", "--dry-run"]),
        "record 4, n: 4 -> 0\nrecord 6, n: 6 -> 0\n2 records of n.rec would be changed\n"
    );
}

/// Finds a command that takes two choices of records, or none.
#[test]
fn records_are_chosen_in_exactly_one_way() {
    let place = numbers();
    place.write("ids.txt", "1\n");
    for (line, why) in [
        (&["delete", "n.rec"][..], "ID"),
        (&["delete", "n.rec", "1", "--where", "n = 1"], "cannot be used with"),
        (&["delete", "n.rec", "1", "--ids", "ids.txt"], "cannot be used with"),
        (&["delete", "n.rec", "--ids", "ids.txt", "--where", "n = 1"], "cannot be used with"),
        (&["set", "n.rec"], "which records?"),
        (&["set", "n.rec", "n=1"], "which records?"),
        (&["set", "n.rec", "1", "--where", "n = 1", "n=2"], "cannot be used with"),
        (&["set", "n.rec", "1,2", "n=2", "--ids", "ids.txt"], "cannot be used with"),
        (&["set", "n.rec", "n=2", "--ids", "ids.txt", "--where", "n = 1"], "cannot be used with"),
        (&["set", "n.rec", "--where", "n = 1"], "<FIELD=VALUE>"),
    ] {
        let said = place.usage(line);
        assert!(said.contains(why), "{line:?}: {said}");
    }
    assert_eq!(count(&place, "n = 2"), 1);
}
