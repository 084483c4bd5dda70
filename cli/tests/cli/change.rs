//! `set`: fields of one record changed in place.

use super::*;

/// Finds a `set` that changes another byte, or reports another value.
#[test]
fn set_changes_fields_and_reports_the_change() {
    let place = Place::new();
    people(&place);
    assert_eq!(
        place.ok(["set", "people.rec", "1", "age=41", "name=Bob", "rgb=[1, 2, 3]", "admin=true"]),
        "\
age: null -> 41
name: \"Łukasz, \\\"Ł\\\"\" -> \"Bob\"
rgb: [0,0,0] -> [1,2,3]
admin: false -> true
"
    );
    assert_eq!(
        place.ok(["get", "people.rec", "1", "--format", "csv"]),
        "name,age,score,born,seen,nick name,admin,rgb\n\
         Bob,41,,2000-02-29,,,true,\"[1,2,3]\"\n"
    );
    assert_eq!(
        place.ok(["verify", "people.rec"]),
        "people.rec: 3 records, no checksum file, no doubts\n"
    );
}

/// Finds a `set` that confuses null with an empty text.
#[test]
fn nulls_and_empty_texts_stay_different() {
    let place = Place::new();
    people(&place);
    assert_eq!(place.ok(["set", "people.rec", "0", "age="]), "age: 36 -> null\n");
    assert_eq!(
        place.ok(["set", "people.rec", "2", "nick name="]),
        "nick name: \"a\\nb\" -> \"\"\n"
    );
    assert_eq!(
        place.ok(["set", "people.rec", "0", "--null", "nick name", "--null", "score"]),
        "nick name: \"\" -> null\nscore: 0.1 -> null\n"
    );
    assert_eq!(place.ok(["set", "people.rec", "0", "name=a=b"]), "name: \"Ada\" -> \"a=b\"\n");
    assert_eq!(
        place.ok(["scan", "people.rec", "--format", "csv", "--select", "name,nick name,age"]),
        "name,nick name,age\na=b,,\n\"Łukasz, \"\"Ł\"\"\",,\n\"\",\"\",7\n"
    );
}

/// Finds a `set` that changes a record before it has checked every value, or whose error has no
/// reason.
#[test]
fn a_refused_set_changes_nothing() {
    let place = Place::new();
    let path = people(&place);
    let before = bytes(&path);
    let set = |args: &[&str]| place.error([&["set", "people.rec"], args].concat());
    assert_eq!(set(&["3", "age=1"]), "people.rec has no record 3: its last is 2");
    assert_eq!(
        set(&["0", "agee=1"]),
        "set people.rec, record 0: invalid argument: no field \"agee\" (did you mean \"age\"?)"
    );
    assert_eq!(set(&["0", "age=1", "age=2"]), "field \"age\" is set twice");
    for (value, why) in [
        ("age=256", "field age (uint8): \"256\""),
        ("age=old", "field age (uint8): \"old\""),
        ("born=", "field born (date32)"),
        ("born=2001-02-29", "field born (date32): \"2001-02-29\""),
        ("seen=2024-01-01T00:00:00", "field seen (timestamp(ms))"),
        ("name=fifteen letters", "field name (utf8(14))"),
        ("rgb=[1,2]", "field rgb (uint8)"),
        ("admin=yes", "field admin (bool): \"yes\""),
    ] {
        let text = set(&["0", "score=5", value]);
        assert!(text.starts_with("set people.rec, record 0: invalid value: "), "{value}: {text}");
        assert!(text.contains(why), "{value}: {text}");
    }
    assert!(set(&["0", "--null", "name"]).contains("field name (utf8(14))"));
    assert!(place.usage(["set", "people.rec", "0", "age"]).contains("write it as field=value"));
    assert!(place.usage(["set", "people.rec", "0"]).contains("<FIELD=VALUE>"));
    assert_eq!(bytes(&path)[65_536..], before[65_536..]);
}

/// Finds a `set` whose failed report looks like a failed change, so that a user repeats it.
#[cfg(target_os = "linux")]
#[test]
fn a_change_whose_report_fails_is_still_reported_as_made() {
    let place = Place::new();
    people(&place);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.command(["set", "people.rec", "1", "age=41"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let done = "flatrec: changed record 1 of people.rec as commit 2; only its report could not be";
    assert!(stderr.starts_with(done), "{stderr}");
    let age = place.ok(["scan", "people.rec", "--count", "--where", "age = 41"]);
    assert_eq!(age, "1\n");
}

/// Finds a `set` that waits unasked, or that blocks readers.
#[test]
fn set_does_not_wait_for_another_writer() {
    let place = Place::new();
    let path = people(&place);
    let reader = DynStore::open_read_only(&path).unwrap();
    assert_eq!(place.ok(["set", "people.rec", "0", "age=1"]), "age: 36 -> 1\n");
    drop(reader);
    place.ok(["set", "people.rec", "0", "age=2"]);
    let writer = DynStore::open(&path).unwrap();
    let text = place.error(["set", "people.rec", "0", "age=3"]);
    assert!(text.contains("people.rec") && text.contains("locked"), "{text}");
    assert!(text.ends_with(
        " (close the other program that has it open, or wait for it with --wait SECONDS)"
    ));
    assert!(place.error(["append", "people.rec", "x.csv"]).contains("locked"));
    assert_eq!(place.ok(["scan", "people.rec", "--count"]), "3\n", "a reader was refused");
    drop(writer);
}

/// Finds a message that speaks of options that were not given, or in words of the code.
#[test]
fn wrong_numbers_of_records_and_seconds_are_said_in_plain_words() {
    let place = Place::new();
    people(&place);
    let said = place.usage(["set", "people.rec", "1", "2", "age=4"]);
    assert_eq!(
        said,
        "flatrec: '2' is not FIELD=VALUE: to change several records, separate their numbers by \
         commas, such as 1,2\n"
    );
    assert_eq!(place.ok(["set", "people.rec", "1,2", "age=4"]).lines().count(), 2);
    let said = place.usage(["set", "people.rec", "--where", "age = 4", "2", "age=4"]);
    assert!(said.contains("'2' cannot be used with --where or --ids"), "{said}");
    for seconds in ["-1", "-0.5", "nan", "x", "-inf"] {
        let said = place.usage(["set", "people.rec", "0", "age=1", "--wait", seconds]);
        assert!(said.contains("it must be a number of seconds, 0 or more, such as 2.5"), "{said}");
    }
    for seconds in ["inf", "1e300"] {
        let said = place.usage(["set", "people.rec", "0", "age=1", "--wait", seconds]);
        assert!(said.contains("no command waits that long"), "{said}");
    }
    let said = place.usage(["tail", "people.rec", "-n", "-1"]);
    assert!(said.contains("write it as 10, or as +1000"), "{said}");
    for (list, why) in [
        ("age,,name", "read the name of a field: invalid argument: a name is empty"),
        ("\"age", "read the name of a field: invalid argument: the quotes of the name"),
    ] {
        assert!(place.error(["scan", "people.rec", "--select", list]).starts_with(why), "{list}");
    }
}
