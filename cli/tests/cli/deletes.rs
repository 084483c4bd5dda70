//! Stores with deletes at the command line, and the commands that copy stores.

use serde_json::json;

use super::*;

/// A store of the numbers 0 to 9, `n.rec`; 2, 3 and 9 are deleted.
fn numbers(place: &Place) -> PathBuf {
    let rows: Vec<String> = (0..10).map(|n| format!("{n},x{n}\n")).collect();
    place.write("n.csv", format!("n,name\n{}", rows.concat()));
    // This direct deletion keeps no checksums.
    place.ok(["load", "n.csv", "n.rec", "--deletes", "--no-checksums"]);
    let path = place.path("n.rec");
    dead::delete(&path, &[3, 9, 2]);
    path
}

/// Finds a command that shows a deleted record, or renumbers the others.
#[test]
fn reading_commands_skip_deleted_records_and_keep_the_numbers() {
    let place = Place::new();
    numbers(&place);
    let table = place.ok(["scan", "n.rec", "--range", "1..6"]);
    assert_eq!(table, "#  n  name\n1  1  x1\n4  4  x4\n5  5  x5\n");
    assert_eq!(place.ok(["scan", "n.rec", "--count"]), "7\n");
    assert_eq!(place.ok(["scan", "n.rec", "--count", "--where", "n >= 3"]), "5\n");
    let limited = place.ok(["scan", "n.rec", "--limit", "3", "--format", "csv"]);
    assert_eq!(limited, "n,name\n0,x0\n1,x1\n4,x4\n");
    assert_eq!(place.ok(["get", "n.rec", "4", "--format", "csv"]), "n,name\n4,x4\n");
    assert_eq!(place.error(["get", "n.rec", "4", "3"]), "n.rec: record 3 was deleted");
    assert_eq!(place.ok(["get", "n.rec", "4,1", "--format", "csv"]), "n,name\n4,x4\n1,x1\n");
    assert_eq!(place.error(["get", "n.rec", "10"]), "n.rec has no record 10: its last is 9");
    assert_eq!(place.error(["set", "n.rec", "3", "n=1"]), "n.rec: record 3 was deleted");
    assert_eq!(place.ok(["set", "n.rec", "4", "n=44"]), "n: 4 -> 44\n");
    let salvaged = place.ok(["salvage", "n.rec", "saved.rec"]);
    assert!(
        salvaged.ends_with("saved.rec: 7 of 10 records saved, 3 deleted, 0 lost\n"),
        "{salvaged}"
    );
    assert_eq!(
        place.ok(["verify", "n.rec"]),
        "n.rec: 7 records, 3 deleted, no checksum file, no doubts\n"
    );
}

/// Finds an `append` that adds a part of its rows, or reuses places of deleted records.
#[test]
fn rows_are_added_after_the_last_record_all_or_none() {
    let place = Place::new();
    let path = numbers(&place);
    let before = bytes(&path);
    place.write("more.csv", "n,name\n10,x10\nten,x11\n");
    place.error(["append", "n.rec", "more.csv"]);
    assert_eq!(bytes(&path)[65_536..], before[65_536..]);
    place.write("more.csv", "n,name\n10,x1\n");
    let text = place.ok(["append", "n.rec", "more.csv"]);
    assert!(text.contains("records   8 of"), "{text}");
    assert_eq!(place.ok(["get", "n.rec", "10", "--format", "csv"]), "n,name\n10,x1\n");
    let usage = place.usage(["load", "more.csv", "n.rec", "--append", "--deletes"]);
    assert!(usage.contains("cannot be used with"), "{usage}");
    place.write("tiny.csv", "a\ntrue\n");
    let text = place.error(["load", "tiny.csv", "tiny.rec", "--deletes"]);
    assert!(text.contains("records with deletes must have 8 bytes"), "{text}");
}

/// Finds a command that hides the status bytes from a program that reads the file.
#[test]
fn info_and_schema_mention_deletes() {
    let place = Place::new();
    numbers(&place);
    let text = place.ok(["info", "n.rec"]);
    let records = "records        7, and 3 deleted, of which record 2 is used again first\n";
    assert!(text.contains(records), "{text}");
    let object: serde_json::Value =
        serde_json::from_str(&place.ok(["info", "n.rec", "--json"])).unwrap();
    assert_eq!((&object["records"], &object["deleted_records"]), (&json!(7), &json!(3)));
    assert_eq!((&object["record_numbers"], &object["deletes"]), (&json!(10), &json!(true)));
    assert_eq!(object["free_list_head"], 2);
    let dtype = place.ok(["schema", "n.rec", "--as", "numpy"]);
    let end = "'status'], 'formats': ['<i8', 'S2', 'u1'], 'offsets': [0, 8, 10], 'itemsize': 11}, \
               'offset': 65536, 'shape': (10,)}\n";
    assert!(dtype.ends_with(end), "{dtype}");
    let c = place.ok(["schema", "n.rec", "--as", "c"]);
    assert!(c.contains("static_assert(sizeof(struct n_record) == 11,"), "{c}");
    assert!(c.contains("static_assert(offsetof(struct n_record, status) == 10,"), "{c}");
    let rust = place.ok(["schema", "n.rec", "--as", "rust"]);
    assert!(!rust.contains("status"), "a Record has no status: {rust}");
}

/// Finds an export of a deleted record, or one that publishes a file after a damaged record.
#[test]
fn exports_have_the_live_records_only() {
    let place = Place::new();
    let path = numbers(&place);
    let text = place.ok(["export", "n.rec", "out.csv"]);
    assert!(text.starts_with("exported 7 records to out.csv"), "{text}");
    assert_eq!(place.read("out.csv"), "n,name\n0,x0\n1,x1\n4,x4\n5,x5\n6,x6\n7,x7\n8,x8\n");
    place.ok(["export", "n.rec", "out.ndjson"]);
    assert!(place.read("out.ndjson").starts_with("{\"n\":0,\"name\":\"x0\"}\n"));
    place.ok(["export", "n.rec", "out.npy"]);
    let npy = bytes(&place.path("out.npy"));
    let header =
        "{'descr': [('n', '<i8'), ('name', 'S2')], 'fortran_order': False, 'shape': (7,), }";
    assert!(npy[10..].starts_with(header.as_bytes()), "{}", String::from_utf8_lossy(&npy[10..]));
    assert_eq!(npy.len(), 128 + 7 * 10);
    assert_eq!(npy[128 + 2 * 10..128 + 3 * 10], *b"\x04\0\0\0\0\0\0\0x4");

    // An invalid status byte ends the command that reads it.
    let mut damaged = bytes(&path);
    damaged[65_536 + 5 * 11 + 10] = 3;
    std::fs::write(&path, damaged).unwrap();
    for args in [
        &["export", "n.rec", "again.csv"][..],
        &["get", "n.rec", "5"],
        &["compact", "n.rec", "compact.rec"],
    ] {
        let text = place.error(args);
        assert!(text.starts_with("read n.rec, record 5: corrupt: its status byte is 3"), "{text}");
    }
    let scanned = place.run(["scan", "n.rec", "--format", "csv"]);
    assert_eq!(scanned.status, Some(1));
    let files = place.files();
    assert!(!files.iter().any(|name| name.contains("again") || name.contains("compact")));
}

/// Finds an error that counts live records instead of naming the record's number.
#[test]
fn an_invalid_value_is_reported_with_its_record_number() {
    let place = Place::new();
    let path = numbers(&place);
    let mut damaged = bytes(&path);
    damaged[65_536 + 5 * 11 + 8] = 0xFF;
    std::fs::write(&path, damaged).unwrap();
    let text = place.error(["export", "n.rec", "out.csv"]);
    assert!(text.starts_with("read n.rec, record 5: corrupt"), "{text}");
}

/// Finds a `backup` that waits for the writer, or replaces a file unasked.
#[test]
fn backup_copies_a_store_during_writes() {
    let place = Place::new();
    let path = numbers(&place);
    let writer = DynStore::open(&path).unwrap();
    let text = place.ok(["backup", "n.rec", "copy.rec"]);
    assert_eq!(text, "copied 7 records and 3 deleted ones to copy.rec: 65646 bytes (64.11 KiB)\n");
    drop(writer);
    assert_eq!(bytes(&path)[8192..], bytes(&place.path("copy.rec"))[8192..]);
    assert_eq!(
        place.ok(["verify", "copy.rec"]),
        "copy.rec: 7 records, 3 deleted, no checksum file, no doubts\n"
    );

    let text = place.error(["backup", "n.rec", "copy.rec"]);
    assert!(text.ends_with(" (choose another path, or replace it with --force)"), "{text}");
    place.ok(["backup", "n.rec", "copy.rec", "--force"]);
    place.ok(["backup", "n.rec", "copy.rec", "--replace"]);
    place.write("precious", "text");
    for force in [&[][..], &["--force"]] {
        place.error([&["backup", "n.rec", "precious"], force].concat());
        let text = place.error([&["backup", "n.rec", "./n.rec"], force].concat());
        assert!(text.contains("is the same file as"), "{text}");
    }
    assert_eq!(place.read("precious"), "text");
    let text = place.error(["backup", "nothing.rec", "new.rec"]);
    assert!(text.contains("nothing.rec: not found"), "{text}");
    assert!(!place.files().iter().any(|name| name.contains("new")));
}

/// Finds a `compact` that reports wrong numbers, or that overwrites its own files with the map.
#[test]
fn compact_writes_the_new_numbers() {
    let place = Place::new();
    numbers(&place);
    let ran = place.run(["compact", "n.rec", "out.rec", "--map", "map.csv"]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(
        ran.stdout,
        "copied 7 records to out.rec: 65613 bytes (64.08 KiB), 3 deleted ones left out\n"
    );
    assert_eq!(
        ran.stderr,
        "note: 5 of the records have other numbers in out.rec than in n.rec: see map.csv\n"
    );
    assert_eq!(place.read("map.csv"), "old,new\n0,0\n1,1\n4,2\n5,3\n6,4\n7,5\n8,6\n");
    assert_eq!(place.ok(["get", "out.rec", "6", "--format", "csv"]), "n,name\n8,x8\n");

    let text = place.error(["compact", "n.rec", "out2.rec", "--map", "map.csv"]);
    assert!(text.starts_with("--map map.csv exists already"), "{text}");
    for own in ["n.rec", "out2.rec", "out2.rec-lock"] {
        let text = place.error(["compact", "n.rec", "out2.rec", "--force", "--map", own]);
        assert!(text.ends_with("would overwrite that file"), "{text}");
    }
    let again = place.run(["compact", "n.rec", "out.rec", "--map", "map.csv", "--force"]);
    assert_eq!(again.status, Some(0), "{}", again.stderr);
    // Without deleted records no number changes, and the command prints no note.
    place.ok(["compact", "out.rec", "same.rec"]);
    let mut expected = vec!["map.csv", "n.csv"];
    let stores = ["n.rec", "out.rec", "same.rec"].map(|name| [name.into(), format!("{name}-lock")]);
    expected.extend(stores.as_flattened().iter().map(String::as_str));
    expected.sort();
    assert_eq!(place.files(), expected);
}
