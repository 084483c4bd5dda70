//! Commands that only read: `get`, `scan`, `info`, `schema`, `verify`.

use super::*;

/// Finds a value that `get` shows wrongly.
#[test]
fn get_shows_records_as_columns() {
    let place = Place::new();
    people(&place);
    assert_eq!(
        place.ok(["get", "people.rec", "0", "2"]),
        "\
field                         0                         2
name                        Ada
age                          36                         7
score                       0.1                    -1e300
born                 1815-12-10                1970-01-01
seen       1852-11-27T12:00:00Z  2024-01-01T00:00:00.250Z
nick name                                            a\\nb
admin                      true                     false
rgb                   [1,2,255]                   [9,9,9]
"
    );
}

/// Finds a format of `get` that other programs cannot parse.
#[test]
fn get_writes_csv_and_ndjson() {
    let place = Place::new();
    people(&place);
    assert_eq!(
        place.ok(["get", "people.rec", "1", "0", "--format", "csv"]),
        "\
name,age,score,born,seen,nick name,admin,rgb
\"Łukasz, \"\"Ł\"\"\",,,2000-02-29,,,false,\"[0,0,0]\"
Ada,36,0.1,1815-12-10,1852-11-27T12:00:00Z,\"\",true,\"[1,2,255]\"
"
    );
    assert_eq!(
        place.ok(["get", "people.rec", "2", "--format", "ndjson"]),
        "{\"name\":\"\",\"age\":7,\"score\":-1e300,\"born\":\"1970-01-01\",\
         \"seen\":\"2024-01-01T00:00:00.250Z\",\"nick name\":\"a\\nb\",\"admin\":false,\
         \"rgb\":[9,9,9]}\n"
    );
}

/// Finds a `get` that succeeds without a record.
#[test]
fn a_missing_record_is_an_error() {
    let place = Place::new();
    people(&place);
    assert_eq!(
        place.error(["get", "people.rec", "0", "3"]),
        "people.rec has no record 3: its last is 2"
    );
    let none = Schema::packed([Field::new("x", DataType::Int8)]).unwrap();
    DynStore::create(place.path("none.rec"), &none).unwrap().close().unwrap();
    assert_eq!(place.error(["get", "none.rec", "0"]), "none.rec has no record 0: it is empty");
    assert!(place.usage(["get", "people.rec", "-1"]).contains("start at 0"));
    assert!(
        place.usage(["get", "people.rec", "one"]).contains("invalid value 'one' for '<ID>...'")
    );
    assert!(place.usage(["get", "people.rec"]).contains("<ID>..."));
}

/// Finds a column that a wide or special value misaligns.
#[test]
fn scan_lists_records_in_aligned_columns() {
    let place = Place::new();
    people(&place);
    assert_eq!(
        place.ok(["scan", "people.rec"]),
        "\
#  name          age   score  born        seen                      nick name  admin  rgb
0  Ada            36     0.1  1815-12-10  1852-11-27T12:00:00Z                 true   [1,2,255]
1  Łukasz, \"Ł\"  null    null  2000-02-29  null                      null       false  [0,0,0]
2                  7  -1e300  1970-01-01  2024-01-01T00:00:00.250Z  a\\nb       false  [9,9,9]
"
    );
}

/// Finds an option of `scan` that selects other fields or records.
#[test]
fn scan_selects_filters_and_limits() {
    let place = Place::new();
    people(&place);
    let scan = |args: &[&str]| place.ok([&["scan", "people.rec"], args].concat());
    assert_eq!(
        scan(&["--select", "age,name", "--where", "age IS NOT NULL AND NOT admin"]),
        "#  age  name\n2    7\n"
    );
    assert_eq!(
        scan(&["--select", "nick name", "--select", "born", "--range", "1.."]),
        "#  nick name  born\n1  null       2000-02-29\n2  a\\nb       1970-01-01\n"
    );
    let names = |args: &[&str]| scan(&[&["--select", "name", "--format", "csv"], args].concat());
    assert_eq!(names(&["--limit", "1"]), "name\nAda\n");
    assert_eq!(names(&["--limit", "0"]), "name\n");
    assert_eq!(names(&["--range", "..1"]), "name\nAda\n");
    assert_eq!(names(&["--range", "2..99"]), "name\n\"\"\n");
    assert_eq!(names(&["--range", "7..99"]), "name\n");
    assert_eq!(names(&["--range", "1..", "--limit", "1"]), "name\n\"Łukasz, \"\"Ł\"\"\"\n");
    assert_eq!(names(&["--where", "born < '1900-01-01'"]), "name\nAda\n");
    assert_eq!(
        scan(&["--where", "seen >= '2024-01-01'", "--select", "name,seen", "--format", "ndjson"]),
        "{\"name\":\"\",\"seen\":\"2024-01-01T00:00:00.250Z\"}\n"
    );
}

/// Finds a `scan --count` that counts other records than `scan` lists.
#[test]
fn scan_counts_the_records_that_it_would_list() {
    let place = Place::new();
    people(&place);
    let count = |args: &[&str]| place.ok([&["scan", "people.rec", "--count"], args].concat());
    assert_eq!(count(&[]), "3\n");
    assert_eq!(count(&["--range", "1..9"]), "2\n");
    assert_eq!(count(&["--where", "score < 1 OR name LIKE 'Ł%'", "--limit", "2"]), "2\n");
    assert!(place.usage(["scan", "people.rec", "--count", "--format", "csv"]).contains("--count"));
}

/// Finds a command that skips an invalid value, or leaves a part of an export.
#[test]
fn unreadable_records_are_named_in_every_format() {
    let place = Place::new();
    let path = people(&place);
    let mut damaged = bytes(&path);
    damaged[65_536 + 49 + 14] = 7; // the presence byte of age in record 1
    std::fs::write(&path, &damaged).unwrap();
    let expected =
        "read people.rec, record 1: corrupt: field age (uint8): its presence byte is 7, not 0 or 1";
    for format in ["table", "csv", "ndjson"] {
        for args in [
            &["get", "people.rec", "0", "1"][..],
            &["scan", "people.rec"],
            &["scan", "people.rec", "--range", "1..", "--select", "age"],
            &["tail", "people.rec", "-n", "2"],
        ] {
            let ran = place.run([args, &["--format", format]].concat());
            assert_eq!(ran.stderr, format!("flatrec: {expected}\n"), "{args:?} {format}");
            assert_eq!(ran.status, Some(1), "{args:?} {format}");
        }
    }
    for output in ["out.csv", "out.ndjson"] {
        assert_eq!(place.error(["export", "people.rec", output]), expected);
    }
    assert_eq!(
        place.ok(["set", "people.rec", "1", "age=41"]),
        "age: not readable -> 41\n",
        "`set` must repair the value"
    );
    place.ok(["verify", "people.rec"]);
}

/// Finds an error of a condition or a range without its fault.
#[test]
fn errors_of_scan_name_the_fault() {
    let place = Place::new();
    people(&place);
    let scan = |args: &[&str]| place.error([&["scan", "people.rec"], args].concat());
    assert_eq!(
        scan(&["--select", "name,aeg"]),
        "find the field: invalid argument: no field \"aeg\" (did you mean \"age\"?)"
    );
    assert_eq!(
        scan(&["--where", "nam = 'Ada'"]),
        "read the condition: invalid argument: no field \"nam\" (did you mean \"name\"?); \
         for what conditions can say, see: flatrec scan --help"
    );
    assert_eq!(
        scan(&["--where", "name = 5"]),
        "read the condition: invalid argument: the utf8(14) field \"name\" cannot be compared \
         with the number 5 (its values are text, such as \"Ada\", \"Łukasz, \\\"Ł\\\"\", \
         \"\": compare it with such a text); \
         for what conditions can say, see: flatrec scan --help"
    );
    assert!(!scan(&["--where", "age + 1 = 5"]).contains("flatrec::"));
    assert!(place.ok(["scan", "--help"]).contains("\nConditions:\n"));
    let usage = |range| place.usage(["scan", "people.rec", "--range", range]);
    assert!(usage("5").contains("write it as 100..200, 100.. or ..200"));
    assert!(usage("5..2").contains("it ends before it starts"));
    assert!(usage("a..").contains("\"a\" is not a record number"));
}

/// Finds a `--select` that splits a field's name at a comma.
#[test]
fn a_field_name_may_have_a_comma() {
    let place = Place::new();
    let schema = Schema::packed([
        Field::new("a,b", DataType::Int8),
        Field::new("a", DataType::Int8),
        Field::new("b", DataType::Int8),
    ]);
    let mut store = DynStore::create(place.path("s.rec"), &schema.unwrap()).unwrap();
    store.append(&[1, 2, 3]).unwrap();
    store.close().unwrap();
    // The rule of the help: a name with a comma needs quotes. An earlier version took the unquoted
    // text for that name if there was one, so that a list meant another thing in another store.
    assert_eq!(place.ok(["scan", "s.rec", "--select", "a,b"]), "#  a  b\n0  2  3\n");
    assert_eq!(place.ok(["scan", "s.rec", "--select", "b,a"]), "#  b  a\n0  3  2\n");
    assert_eq!(place.ok(["scan", "s.rec", "--select", "\"a,b\""]), "#  a,b\n0    1\n");
    assert_eq!(place.ok(["scan", "s.rec", "--select", "b,\"a,b\""]), "#  b  a,b\n0  3    1\n");
}

/// Finds a `scan` that keeps a long table in memory to align it.
#[test]
fn a_long_table_streams_with_the_widths_of_its_first_rows() {
    let place = Place::new();
    let schema =
        Schema::packed([Field::new("n", DataType::UInt32), Field::new("text", DataType::Utf8(2))]);
    let mut store = DynStore::create(place.path("long.rec"), &schema.unwrap()).unwrap();
    for n in 0..3_000u32 {
        let n = if n == 2_999 { 1_000_000 } else { n % 10 };
        store.append(&[&n.to_le_bytes()[..], b"ab"].concat()).unwrap();
    }
    store.close().unwrap();
    let lines = place.ok(["scan", "long.rec"]);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3_001);
    assert_eq!(lines[..2], ["  #  n  text", "  0  0  ab"]);
    assert_eq!(lines[2_999..], ["2998  8  ab", "2999  1000000  ab"]);
}

/// Finds a command that reports an error when its reader has ended.
#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let place = Place::new();
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let mut store = DynStore::create(place.path("many.rec"), &schema).unwrap();
    store.append_packed(&vec![7; 8 * 200_000]).unwrap(); // more than a pipe holds
    store.close().unwrap();
    for format in ["table", "csv", "ndjson"] {
        let mut command = place.command(["scan", "many.rec", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap(); // and then closes it
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{format}");
    }
}

/// Finds a command that succeeds although its output was lost.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    let place = Place::new();
    people(&place);
    for (args, expected) in [
        (["scan", "people.rec", "--format", "table"], 1),
        (["scan", "people.rec", "--format", "csv"], 1),
        (["scan", "people.rec", "--format", "ndjson"], 1),
        (["info", "people.rec", "--format", "table"], 1),
        // Status 1 would be the verdict of `verify`.
        (["verify", "people.rec", "--format", "table"], 3),
        (["schema", "people.rec", "--as", "json"], 1),
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = place.command(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{args:?}: {stderr}");
        assert!(stderr.starts_with("flatrec: "), "{args:?}: {stderr}");
        assert!(stderr.contains("No space left on device"), "{args:?}: {stderr}");
    }
}

/// Finds a figure that `info` shows wrongly.
#[test]
fn info_shows_the_parts_of_the_store() {
    let place = Place::new();
    people(&place);
    let text = place.ok(["info", "people.rec"]);
    for line in [
        "store          people.rec\n",
        "records        3\n",
        "record size    49 bytes\n",
        "data offset    65536 bytes (64.00 KiB)\n",
        "file length    65683 bytes (64.14 KiB)\n",
        ", 3 records, in force\n",
        " pages of ",
        " minor, ",
        "\nfield      type           offset  bytes  notes\n",
        "\nseen       timestamp(ms)      29      9  nullable, utc\n",
        "\nrgb        uint8[3]           46      3\n",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
}

/// Finds an `info --json` that programs cannot parse, or that changes the store.
#[test]
fn info_writes_one_json_object() {
    let place = Place::new();
    let path = people(&place);
    let before = bytes(&path);
    let json: serde_json::Value =
        serde_json::from_str(&place.ok(["info", "people.rec", "--json"])).unwrap();
    let line = place.ok(["info", "people.rec", "--format", "ndjson"]);
    assert_eq!(line.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    for object in [&json, &line] {
        assert_eq!(object["path"], "people.rec");
        assert_eq!(object["records"], 3);
        assert_eq!(object["stride_bytes"], 49);
        assert_eq!(object["data_offset_bytes"], 65_536);
        assert_eq!(object["file_len_bytes"], 65_536 + 3 * 49);
        assert_eq!(object["header_slots"][0]["state"], "valid");
        assert_eq!(object["schema"]["fields"][1]["name"], "age");
        assert_eq!(object["schema"]["fields"][1]["type"], "uint8");
    }
    let csv = place.ok(["info", "people.rec", "--format", "csv"]);
    assert!(csv.starts_with("property,value\npath,people.rec\nrecords,3\n"), "{csv}");
    assert!(csv.contains("\nheader_slots.1.records,3\n"), "{csv}");
    assert!(place.usage(["info", "people.rec", "--json", "--format", "csv"]).contains("--json"));
    assert_eq!(bytes(&path), before, "a reading command changed the store");
}

/// Finds a form of `schema` with another layout than the file.
#[test]
fn schema_lists_fields_in_every_form() {
    let place = Place::new();
    people(&place);
    assert_eq!(
        place.ok(["schema", "people.rec", "--format", "csv"]),
        "\
field,type,offset,bytes,notes
name,utf8(14),0,14,
age,uint8,14,2,nullable
score,float64,16,9,nullable
born,date32,25,4,
seen,timestamp(ms),29,9,\"nullable, utc\"
nick name,utf8(6),38,7,nullable
admin,bool,45,1,
rgb,uint8[3],46,3,
"
    );
    let table = place.ok(["schema", "people.rec"]);
    assert!(table.starts_with("field      type           offset  bytes  notes\n"), "{table}");
    place.write("in.csv", "id,on\n7,true\n");
    place.ok(["load", "in.csv", "some-flags.rec"]);
    for (language, parts) in [
        (
            "json",
            ["{ \"name\": \"id\", \"type\": \"int64\", \"offset\": 0 }", "\"record_size\": 9"],
        ),
        ("rust", ["pub struct SomeFlags {", "pub on: flatrec::Bool,"]),
        ("c", ["struct some_flags_record {", "int64_t id;"]),
        (
            "numpy",
            ["{'dtype': {'names': ['id', 'on']", "'itemsize': 9}, 'offset': 65536, 'shape': (1,)}"],
        ),
    ] {
        let text = place.ok(["schema", "some-flags.rec", "--as", language]);
        assert!(parts.iter().all(|part| text.contains(part)), "{language}: {text}");
    }
    let text = place.error(["schema", "people.rec", "--as", "rust"]);
    assert!(text.contains("rgb: uint8[3]"), "the error does not name the field: {text}");
    assert!(
        place.usage(["schema", "people.rec", "--as", "cobol"]).contains("json, rust, c, numpy")
    );
}

/// Finds a doubt about a sound store.
#[test]
fn verify_has_no_doubts_about_a_sound_store() {
    let place = Place::new();
    people(&place);
    assert_eq!(
        place.ok(["verify", "people.rec"]),
        "people.rec: 3 records, no checksum file, no doubts\n"
    );
    assert_eq!(place.ok(["verify", "people.rec", "--format", "csv"]), "record,field,byte,doubt\n");
    assert_eq!(place.ok(["verify", "people.rec", "--format", "ndjson"]), "");
}

/// Finds a doubt with a wrong place, or a list that hides how many it leaves out.
#[test]
fn verify_lists_its_doubts() {
    let place = Place::new();
    let path = people(&place);
    let mut damaged = bytes(&path);
    damaged[65_536 + 49 + 45] = 7; // admin of record 1
    damaged[65_536 + 98] = 0xff; // name of record 2
    damaged[100] ^= 1; // header slot A
    std::fs::write(&path, &damaged).unwrap();
    let ran = place.run(["verify", "people.rec"]);
    assert_eq!(ran.status, Some(1));
    assert_eq!(ran.stderr, "flatrec: people.rec: 3 doubts in 3 records\n");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stdout);
    assert!(lines[0].starts_with("record  field  byte  doubt"), "{}", ran.stdout);
    assert!(
        lines[1].starts_with("                  0  this header slot is not valid"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("     1  admin        "), "{lines:?}");
    assert!(lines[3].starts_with("     2  name         "), "{lines:?}");
    let ran = place.run(["verify", "people.rec", "--limit", "1", "--format", "ndjson"]);
    assert_eq!(ran.status, Some(1));
    assert_eq!(
        ran.stderr,
        "flatrec: people.rec: 3 doubts in 3 records, 2 of them not listed (--limit)\n"
    );
    assert!(ran.stdout.starts_with("{\"record\":null,\"field\":null,\"byte\":0,"), "{ran:?}");
    assert_eq!(bytes(&path), damaged, "verify changed the store");
}

/// Finds "1 records".
#[test]
fn verify_writes_one_record_in_the_singular() {
    let place = Place::new();
    let schema = Schema::packed([Field::new("on", DataType::Bool)]).unwrap();
    let mut store = DynStore::create(place.path("one.rec"), &schema).unwrap();
    store.append(&[1]).unwrap();
    store.close().unwrap();
    assert_eq!(place.ok(["verify", "one.rec"]), "one.rec: 1 record, no checksum file, no doubts\n");
    let mut damaged = bytes(&place.path("one.rec"));
    damaged[65_536] = 7;
    place.write("one.rec", damaged);
    let ran = place.run(["verify", "one.rec"]);
    assert_eq!(ran.stderr, "flatrec: one.rec: 1 doubt in 1 record\n");
}

/// Finds a command that does not say that a file is not a store.
#[test]
fn every_command_refuses_a_file_that_is_not_a_store() {
    let place = Place::new();
    place.write("short.rec", "no store");
    place.write("long.rec", vec![b'x'; 100_000]);
    for command in [
        &["info", "FILE"][..],
        &["get", "FILE", "0"],
        &["scan", "FILE"],
        &["tail", "FILE"],
        &["schema", "FILE"],
        &["export", "FILE", "out.csv"],
        &["set", "FILE", "0", "a=1"],
    ] {
        let on = |file| command.iter().map(move |word| if *word == "FILE" { file } else { *word });
        for file in ["short.rec", "long.rec"] {
            let text = place.error(on(file));
            assert!(text.contains(&format!("{file}: not a flatrec store")), "{text}");
        }
        let text = place.error(on("none.rec"));
        assert!(text.contains("none.rec: not found"), "{text}");
    }
    let ran = place.run(["verify", "short.rec"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stdout.contains("not a flatrec store"), "{ran:?}");
    assert_eq!(ran.stderr, "flatrec: short.rec: 1 doubt\n");
}

/// Finds a help text without the exit statuses, or with colours in a file.
#[test]
fn help_and_version_end_with_status_0() {
    let place = Place::new();
    for command in [
        "load", "info", "get", "scan", "tail", "export", "schema", "append", "set", "verify",
        "salvage",
    ] {
        let help = place.ok([command, "--help"]);
        assert!(help.contains("\nExamples:\n  flatrec "), "{command}: {help}");
        assert!(!help.contains('\x1b'), "{command} writes colours to a file");
    }
    let help = place.ok(["--help"]);
    for status in ["  0    done", "  1    failed", "  2    a wrong", "  3    the work was done"] {
        assert!(help.contains(status), "{help}");
    }
    assert!(help.contains("129, 130, 143\n"), "{help}");
    assert!(place.ok(["load", "--help"]).contains("column_1, column_2"));
    let version = place.ok(["--version"]);
    assert_eq!(version, format!("flatrec {}\n", env!("CARGO_PKG_VERSION")));
    assert!(place.usage(["frobnicate"]).contains("unrecognized subcommand 'frobnicate'"));
    assert!(place.usage::<&str>([]).contains(" <COMMAND>"));
}
