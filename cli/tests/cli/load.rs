//! `load`, `append` and `export`: in from CSV and out again.

use super::interrupt::{interrupt, was_run_in_a_console_of_its_own};
use super::packed::Packer;
use super::*;

const CSV: &str = "\
id,name,delay,on,at
1,Ada,2.5,true,2013-01-01
2,\"Lovelace, A.\",,false,2013-01-31
3,\"\",-1,true,2012-02-29
";

/// The schema that `load` prints after its summary, and `schema` alone.
fn schema_of(place: &Place, store: &str) -> String {
    place.ok(["schema", store])
}

/// Finds a `load` that infers wrong types, or reports wrong figures.
#[test]
fn load_infers_reports_and_loads() {
    let place = Place::new();
    place.write("in.csv", CSV);
    let out = place.ok(["load", "in.csv", "out.rec"]);
    let (summary, schema) = out.split_once("\n\n").unwrap();
    let lines: Vec<&str> = summary.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "loaded    3 records into out.rec",
            "rejected  0 rows",
            "nulls     1",
            &format!("read      {} bytes", CSV.len()),
            "records   3 of 34 bytes",
        ]
    );
    assert!(lines[5].starts_with("time      "), "{out}");
    assert!(lines[5].contains(" rows/s, ") && lines[5].ends_with("B/s"), "{out}");
    assert_eq!(
        schema,
        "\
field  type      offset  bytes  notes
id     int64          0      8
name   utf8(12)       8     12
delay  float64       20      9  nullable
on     bool          29      1
at     date32        30      4
"
    );
    assert_eq!(schema_of(&place, "out.rec"), schema);
    assert_eq!(place.files(), ["in.csv", "out.rec", "out.rec-lock", "out.rec-sum"]);
    assert_eq!(
        place.ok(["scan", "out.rec", "--format", "csv"]),
        "\
id,name,delay,on,at
1,Ada,2.5,true,2013-01-01
2,\"Lovelace, A.\",,false,2013-01-31
3,\"\",-1.0,true,2012-02-29
"
    );
}

/// Finds a `load` that replaces a store unasked, or before the new one is whole.
#[test]
fn an_existing_store_is_kept_unless_forced() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.write("other.csv", "x\n7\n8\n");
    place.ok(["load", "in.csv", "out.rec"]);
    let before = bytes(&place.path("out.rec"));
    assert_eq!(
        place.error(["load", "other.csv", "out.rec"]),
        "out.rec exists already (--append adds to it, --force replaces it)"
    );
    assert_eq!(bytes(&place.path("out.rec")), before);
    // A failed load leaves the old store, with --force and without.
    place.write("bad.csv", "x\n7\n8,9\n");
    let text = place.error(["load", "bad.csv", "out.rec", "--force"]);
    assert!(text.contains("bad.csv: invalid value: line 3"), "{text}");
    assert_eq!(bytes(&place.path("out.rec")), before);
    place.ok(["load", "other.csv", "out.rec", "--force"]);
    assert_eq!(place.ok(["scan", "out.rec", "--format", "csv"]), "x\n7\n8\n");
    assert_eq!(
        place.files(),
        ["bad.csv", "in.csv", "other.csv", "out.rec", "out.rec-lock", "out.rec-sum"]
    );
}

/// Finds a command that truncates its own input, by any name of the file.
#[test]
fn an_input_is_never_its_own_output() {
    let place = Place::new();
    place.write("in.csv", CSV);
    for output in ["in.csv", "./in.csv"] {
        for options in [&["--force"][..], &["--append"], &[]] {
            let text = place.error([&["load", "in.csv", output], options].concat());
            assert!(text.starts_with(&format!("{output} is the same file as in.csv")), "{text}");
        }
    }
    #[cfg(unix)] // on Windows replacing one name leaves the other
    {
        std::fs::hard_link(place.path("in.csv"), place.path("hard.rec")).unwrap();
        std::os::unix::fs::symlink("in.csv", place.path("soft.rec")).unwrap();
        for output in ["hard.rec", "soft.rec"] {
            let text = place.error(["load", "in.csv", output, "--force"]);
            assert!(text.starts_with(&format!("{output} is the same file")), "{text}");
            std::fs::remove_file(place.path(output)).unwrap();
        }
    }
    assert_eq!((place.files(), place.read("in.csv")), (vec!["in.csv".to_owned()], CSV.into()));
    let store = people(&place);
    std::fs::rename(&store, place.path("people.csv")).unwrap();
    let before = bytes(&place.path("people.csv"));
    let text = place.error(["export", "people.csv", "people.csv", "--force"]);
    assert!(text.contains("same file"), "{text}");
    assert_eq!(bytes(&place.path("people.csv")), before);
}

/// Finds a `load --force` that replaces a user's file.
#[test]
fn force_replaces_stores_only() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.write("notes.txt", "not to be lost");
    place.write("empty.rec", "");
    std::fs::create_dir(place.path("directory")).unwrap();
    let before = place.files();
    // The command does not even look for the input.
    let text = place.error(["load", "none.csv", "directory", "--force"]);
    let named = std::path::Path::new("directory").join("none.rec");
    let named =
        format!("directory is a directory: name a store in it, such as {}", named.display());
    assert_eq!(text, named);
    for output in ["notes.txt", "empty.rec"] {
        let text = place.error(["load", "none.csv", output, "--force"]);
        assert!(text.starts_with(&format!("{output} is not a flatrec store")), "{text}");
        assert!(text.ends_with("(remove it yourself if you want that)"), "{text}");
    }
    assert_eq!(place.files(), before, "a refused load left a file");
    assert_eq!(place.read("notes.txt"), "not to be lost");
    place.ok(["load", "in.csv", "new.rec", "--force"]);
}

/// Finds an unfinished file that a failed `load` leaves.
#[test]
fn a_failed_load_leaves_nothing() {
    let place = Place::new();
    place.write("bad.csv", "a,b\n1,2\nx,3\n");
    let text = place.error(["load", "bad.csv", "out.rec", "--sample", "1"]);
    assert!(
        text.starts_with("load bad.csv: invalid value: line 3: field a (int64): \"x\""),
        "{text}"
    );
    assert_eq!(place.files(), ["bad.csv"]);
    let text = place.error(["load", "none.csv", "out.rec"]);
    assert!(text.starts_with("open none.csv: not found"), "{text}");
    let text = place.error(["load", "bad.csv", "no/such/directory/out.rec"]);
    assert!(text.contains("not found"), "{text}");
    place.write("empty.csv", "");
    let text = place.error(["load", "empty.csv", "out.rec"]);
    assert!(text.contains("empty.csv: invalid value"), "{text}");
    assert_eq!(place.files(), ["bad.csv", "empty.csv"]);
}

/// Finds a bad row that is lost or ends the load despite `--rejects`.
#[test]
fn rows_that_do_not_fit_are_set_aside_if_asked() {
    let place = Place::new();
    place.write("in.csv", "a,b\n1,2\nx,3\n4,5,6\n\"7\n\",8\n9,10\n");
    let args = ["load", "in.csv", "out.rec", "--sample", "1", "--rejects", "bad.csv"];
    let out = place.ok(args);
    assert!(out.starts_with("loaded    2 records into out.rec\nrejected  3 rows\n"), "{out}");
    assert_eq!(place.ok(["scan", "out.rec", "--format", "csv"]), "a,b\n1,2\n9,10\n");
    let rejects = place.read("bad.csv");
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(lines[0], "line,column,reason,row", "{rejects}");
    assert!(lines[1].starts_with("3,a,"), "{rejects}");
    assert!(lines[1].ends_with(",\"x,3\""), "{rejects}");
    assert!(lines[2].starts_with("4,,"), "{rejects}");
    assert!(lines[3].starts_with("5,a,"), "{rejects}");
}

/// Finds a `--rejects` that overwrites a file of the same command.
#[test]
fn rejects_never_overwrite_the_input_or_the_store() {
    let place = Place::new();
    place.write("in.csv", CSV);
    assert_eq!(
        place.error(["load", "in.csv", "out.rec", "--rejects", "./in.csv"]),
        "--rejects ./in.csv would overwrite that file"
    );
    assert_eq!(
        place.error(["load", "in.csv", "out.rec", "--rejects", "out.rec"]),
        "--rejects out.rec would overwrite that file"
    );
    assert_eq!(place.read("in.csv"), CSV);
}

/// Finds an error that does not mention the option that helps.
#[test]
fn an_error_of_a_row_names_the_options_that_help() {
    let place = Place::new();
    place.write("in.csv", "a,b\n1,2\nx,3\n");
    place.write("torn.csv", "a,b\n1,2\n3\n");
    let text = place.error(["load", "in.csv", "out.rec", "--sample", "1"]);
    assert!(text.contains("line 3") && text.contains("--sample N"), "{text}");
    assert!(text.contains("--rejects FILE"), "{text}");
    let text = place.error(["load", "torn.csv", "out.rec"]);
    assert!(text.ends_with(" (correct it, or set bad rows aside with --rejects FILE)"), "{text}");
    place.write("good.csv", "a,b\n1,2\n");
    place.ok(["load", "good.csv", "out.rec"]);
    let text = place.error(["append", "out.rec", "in.csv"]);
    let first = text.lines().next().unwrap();
    assert!(first.ends_with(" (correct it, or set bad rows aside with --rejects FILE)"), "{text}");
}

/// Finds a file of rejects that appears before its store, or after a failed load.
#[test]
fn rejects_appear_when_the_load_has_succeeded() {
    let place = Place::new();
    place.write("in.csv", "a,b\n1,2\nx,3\n4,5\n");
    place.write("bad.csv", "kept");
    let load = ["load", "in.csv", "out.rec", "--sample", "1", "--rejects", "bad.csv"];
    let text = place.error(load);
    assert!(text.starts_with("--rejects bad.csv exists already"), "{text}");
    assert_eq!(
        (place.files(), place.read("bad.csv")),
        (names(&["bad.csv", "in.csv"]), "kept".into())
    );
    place.ok([&load[..], &["--force"]].concat());
    assert!(place.read("bad.csv").starts_with("line,column,reason,row\n3,a,"));
    assert_eq!(
        place.files(),
        names(&["bad.csv", "in.csv", "out.rec", "out.rec-lock", "out.rec-sum"])
    );

    place.write("bad.csv", "kept");
    let files = place.files();
    place.error(["load", "in.csv", "no/out.rec", "--rejects", "new.csv"]);
    place.error(["append", "out.rec", "in.csv", "--rejects", "bad.csv"]);
    place.error(["load", "none.csv", "out.rec", "--force", "--rejects", "bad.csv"]);
    place.write("other.csv", "a,c\n1,2\n");
    place.error(["append", "out.rec", "other.csv", "--rejects", "new.csv"]);
    std::fs::remove_file(place.path("other.csv")).unwrap();
    assert_eq!((place.files(), place.read("bad.csv")), (files, "kept".into()));

    place.ok(["append", "out.rec", "in.csv", "--rejects", "more.csv"]);
    assert!(place.read("more.csv").contains("\n3,a,"));
}

/// Finds a `--rejects` that overwrites a side file, by any name of the file.
#[test]
fn rejects_must_not_name_a_file_in_use() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "out.rec"]);
    place.write("schema.json", place.ok(["schema", "out.rec", "--as", "json"]));
    #[cfg(unix)]
    std::fs::hard_link(place.path("in.csv"), place.path("linked.csv")).unwrap();
    #[cfg(not(unix))]
    place.write("linked.csv", CSV);
    let before = place.files();
    let mut in_use = vec!["in.csv", "schema.json", "out.rec", "out.rec-lock", "out.rec-unfinished"];
    in_use.extend(cfg!(unix).then_some("linked.csv"));
    for file in in_use {
        let schema = ["--schema", "schema.json"];
        let load = ["load", "in.csv", "out.rec", "--force", "--rejects", file];
        let text = place.error([&load[..], &schema].concat());
        assert_eq!(text, format!("--rejects {file} would overwrite that file"));
    }
    assert_eq!(place.files(), before);
    for command in [["load", "in.csv", "x.rec"], ["append", "out.rec", "in.csv"]] {
        let text = place.usage([&command[..], &["--rejects", "-"]].concat());
        assert!(text.contains("name a file: standard output gets the summary"), "{text}");
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Finds an option of CSV that `load` or `append` ignores.
#[test]
fn options_of_null_texts_delimiters_and_headers_are_used() {
    let place = Place::new();
    place.write("in.txt", "1\tNA\n-\t2.5\n");
    place.ok([
        "load",
        "in.txt",
        "out.rec",
        "--no-header",
        "--delimiter",
        "tab",
        "--null",
        "NA",
        "--null",
        "-",
    ]);
    assert_eq!(place.ok(["scan", "out.rec", "--format", "csv"]), "column_1,column_2\n1,\n,2.5\n");
    place.write("in.csv", "a;b\n1;x,y\n");
    place.ok(["load", "in.csv", "semicolon.rec", "--delimiter", ";"]);
    assert_eq!(place.ok(["scan", "semicolon.rec", "--format", "csv"]), "a,b\n1,\"x,y\"\n");
    for (delimiter, why) in [
        (";;", "it must be one character of ASCII, or `tab`"),
        ("é", "it must be one character of ASCII, or `tab`"),
        ("\"", "cannot be a delimiter"),
    ] {
        let text = place.usage(["load", "in.csv", "x.rec", "--delimiter", delimiter]);
        assert!(text.contains(why), "{text}");
    }
}

/// Finds a stream that inference reads and the load then misses.
#[test]
fn standard_input_and_gzip_are_loaded_like_files() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "file.rec"]);
    let rows = |store| place.ok(["scan", store, "--format", "csv"]);
    let expected = rows("file.rec");

    for (store, options) in [("all.rec", &[][..]), ("head.rec", &["--sample", "2"])] {
        let mut command = place.command([&["load", "-", store], options].concat());
        command.stdin(std::fs::File::open(place.path("in.csv")).unwrap());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    // A real pipe, which cannot be read twice.
    let mut child = place
        .command(["load", "-", "pipe.rec"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(CSV.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());

    place.write("in.csv.gz", Packer::Gzip.pack(CSV.as_bytes()));
    place.ok(["load", "in.csv.gz", "gzip.rec"]);
    for store in ["all.rec", "pipe.rec", "gzip.rec"] {
        assert_eq!(rows(store), expected, "{store}");
    }
    assert_eq!(place.ok(["scan", "head.rec", "--count"]), "3\n");
}

/// Finds a `load` that changes the given types or offsets.
#[test]
fn a_given_schema_keeps_its_types_and_offsets() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "first.rec"]);
    let json = place.ok(["schema", "first.rec", "--as", "json"]);
    place.write("schema.json", json.replace("\"int64\"", "\"int16\""));
    // The offsets in the file are those of int64.
    let text = place.error(["load", "in.csv", "second.rec", "--schema", "schema.json"]);
    assert!(text.contains("field name: 6 bytes before it not used"), "{text}");
    assert!(text.contains("drop \"record_size\"") && text.contains("--no-layout"), "{text}");
    // With a reason for the gap the fields keep their places.
    let json = json
        .replace("\"int64\"", "\"int16\"")
        .replace("\"name\": \"name\"", "\"name\": \"name\", \"padding\": 6");
    place.write("schema.json", &json);
    place.ok(["load", "in.csv", "second.rec", "--schema", "schema.json"]);
    assert!(schema_of(&place, "second.rec").contains("id     int16          0      2\n"));
    let rows = |store| place.ok(["scan", store, "--format", "csv"]);
    assert_eq!(rows("first.rec"), rows("second.rec"));

    place.write("torn.json", &json[..json.len() / 2]);
    let text = place.error(["load", "in.csv", "third.rec", "--schema", "torn.json"]);
    assert!(text.starts_with("torn.json: "), "{text}");
    let text = place.error(["load", "in.csv", "third.rec", "--schema", "none.json"]);
    assert!(text.starts_with("none.json: "), "{text}");
    place.write("other.csv", "id,nom\n1,Ada\n");
    let text = place.error(["load", "other.csv", "third.rec", "--schema", "schema.json"]);
    assert!(text.contains("other.csv: schema mismatch"), "{text}");
    let conflict = ["load", "in.csv", "x.rec", "--schema", "schema.json", "--sample", "1"];
    assert!(place.usage(conflict).contains("--sample"));
    assert!(place.usage(["load", "in.csv", "x.rec", "--sample", "0"]).contains("0 is not in 1.."));
}

/// Finds an `append` that adds the rows before a bad one.
#[test]
fn append_adds_all_rows_or_none() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "out.rec"]);
    place.write("more.csv", "at,on,id,name,delay\n2020-01-01,true,4,Grace,1e3\n");
    let out = place.ok(["append", "out.rec", "more.csv"]);
    assert!(out.starts_with("loaded    1 records into out.rec\n"), "{out}");
    assert!(out.contains("\nrecords   4 of 34 bytes\n"), "{out}");
    place.ok(["load", "more.csv", "out.rec", "--append"]);
    assert_eq!(
        place.ok(["scan", "out.rec", "--range", "3..", "--format", "csv"]),
        "id,name,delay,on,at\n4,Grace,1000.0,true,2020-01-01\n4,Grace,1000.0,true,2020-01-01\n"
    );

    let before = bytes(&place.path("out.rec"));
    place.write(
        "bad.csv",
        "id,name,delay,on,at\n5,Alan,,true,2020-01-01\n6,A name too long for it,,true,2020-01-01\n",
    );
    for command in [["append", "out.rec", "bad.csv"], ["append", "out.rec", "in.csv"]] {
        let ran = place.run(command);
        if command[2] == "bad.csv" {
            assert_eq!(ran.status, Some(1), "{ran:?}");
            assert!(ran.stderr.contains("bad.csv: invalid value: line 3: field name"), "{ran:?}");
            assert_eq!(place.ok(["scan", "out.rec", "--count"]), "5\n");
            let after = bytes(&place.path("out.rec"));
            assert_eq!(after.len(), before.len());
            assert_eq!(after[65_536..], before[65_536..]);
        } else {
            assert_eq!(ran.status, Some(0), "the store can be written again: {ran:?}");
        }
    }
    place.write("wrong.csv", "id,name\n5,Alan\n");
    let text = place.error(["append", "out.rec", "wrong.csv"]);
    assert!(text.contains("wrong.csv: schema mismatch"), "{text}");
    let text = place.error(["append", "none.rec", "in.csv"]);
    assert!(text.contains("none.rec: not found"), "{text}");
    assert!(text.ends_with(" (flatrec load makes one)"), "{text}");
    let text = place.error(["load", "in.csv", "none.rec", "--append"]);
    assert!(text.contains("none.rec: not found"), "{text}");
    assert!(text.ends_with(" (load without --append makes one)"), "{text}");
    let conflict = place.usage(["load", "in.csv", "out.rec", "--append", "--force"]);
    assert!(conflict.contains("--force"), "{conflict}");
}

/// Finds an `export` in the wrong format, or one that replaces a file unasked.
#[test]
fn export_selects_the_format_by_the_ending_and_keeps_an_existing_file() {
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "out.rec"]);
    let rows = place.ok(["scan", "out.rec", "--format", "csv"]);
    let out = place.ok(["export", "out.rec", "out.csv"]);
    assert_eq!(out, format!("exported 3 records to out.csv: {} bytes\n", rows.len()));
    assert_eq!(place.read("out.csv"), rows);
    place.ok(["export", "out.rec", "out.ndjson"]);
    assert_eq!(place.read("out.ndjson"), place.ok(["scan", "out.rec", "--format", "ndjson"]));
    place.ok(["export", "out.rec", "out.npy"]);
    assert_eq!(bytes(&place.path("out.npy"))[..6], *b"\x93NUMPY");

    place.write("out.csv", "mine");
    let text = place.error(["export", "out.rec", "out.csv"]);
    assert_eq!(
        text,
        "export to out.csv: already exists (choose another path, or replace it with --force)"
    );
    assert_eq!(place.read("out.csv"), "mine");
    place.ok(["export", "out.rec", "out.csv", "--force"]);
    assert_eq!(place.read("out.csv"), rows);
    let text = place.error(["export", "out.rec", "out.xls"]);
    assert!(text.contains("out.xls"), "{text}");
    assert_eq!(
        place.files(),
        ["in.csv", "out.csv", "out.ndjson", "out.npy", "out.rec", "out.rec-lock", "out.rec-sum"]
    );
}

/// Finds a value of the real table in data/ that a load and an export change.
#[test]
fn the_flights_survive_a_load_and_an_export() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/flights-2013-01.csv");
    let place = Place::new();
    let out = place.ok([
        OsStr::new("load"),
        data.as_os_str(),
        OsStr::new("flights.rec"),
        OsStr::new("--null"),
        OsStr::new("NA"),
    ]);
    assert!(
        out.starts_with("loaded    27004 records into flights.rec\nrejected  0 rows\n"),
        "{out}"
    );
    place.ok(["export", "flights.rec", "flights.csv"]);
    // The values of this table have no commas and no quotes, and its null is NA.
    let original = std::fs::read_to_string(&data).unwrap();
    let blank_nulls = |line: &str| {
        line.split(',').map(|v| if v == "NA" { "" } else { v }).collect::<Vec<_>>().join(",")
    };
    let original: Vec<String> = original.lines().map(blank_nulls).collect();
    let exported = place.read("flights.csv");
    assert!(exported.lines().eq(original.iter().map(String::as_str)), "the exported text differs");
    place.ok(["load", "flights.csv", "again.rec"]);
    let records = |store| bytes(&place.path(store))[65_536..].to_vec();
    assert!(records("flights.rec") == records("again.rec"), "the records differ");
    place.ok(["export", "again.rec", "again.csv"]);
    assert!(place.read("flights.csv") == place.read("again.csv"), "the second export differs");

    let count = |condition| place.ok(["scan", "flights.rec", "--count", "--where", condition]);
    assert_eq!(count("dep_delay > 60 OR NOT dep_delay > 60 OR dep_delay IS NULL"), "27004\n");
    assert_eq!(count("carrier = 'UA' AND origin = 'EWR' AND dest IN ('IAH', 'ORD')"), "599\n");
}

/// Finds an unfinished store that a load leaves after Ctrl-C.
#[test]
fn an_interrupted_load_leaves_nothing() {
    if was_run_in_a_console_of_its_own("load::an_interrupted_load_leaves_nothing") {
        return;
    }
    let place = Place::new();
    place.write("in.csv", CSV);
    place.ok(["load", "in.csv", "first.rec"]);
    let json = place.ok(["schema", "first.rec", "--as", "json"]);
    place.write("schema.json", json);
    let before = place.files();
    let mut child = place
        .command(["load", "-", "out.rec", "--schema", "schema.json"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(CSV.as_bytes()).unwrap();
    while !place.path("out.rec-unfinished").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the load ended without its input");
        std::thread::yield_now();
    }
    interrupt(&child);
    // More rows than any buffer holds; the command may close the pipe before the last.
    let rows = b"1,Ada,2.5,true,2013-01-01\n".repeat(100);
    for _ in 0..1000 {
        if input.write_all(&rows).is_err() {
            break;
        }
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "flatrec: interrupted, nothing changed\n"
    );
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(place.files(), before);
}
