//! `export`: its choice of records, fields and form.

use super::*;

fn numbers() -> Place {
    let place = Place::new();
    let rows: String = (0..10).map(|n| format!("{n},t{n}\n")).collect();
    place.write("in.csv", format!("n,text\n{rows},NA\n"));
    place.ok(["load", "in.csv", "n.rec"]);
    place
}

/// Finds an option of `export` that selects other records or fields.
#[test]
fn export_selects_records_and_fields() {
    let place = numbers();
    let export = |args: &[&str]| place.ok([&["export", "n.rec", "-"], args].concat());
    assert_eq!(export(&["--where", "n > 7"]), "n,text\n8,t8\n9,t9\n");
    assert_eq!(export(&["--range", "1..3", "--select", "text"]), "text\nt1\nt2\n");
    assert_eq!(export(&["--range", "3..", "--where", "n < 5", "--no-header"]), "3,t3\n4,t4\n");
    assert_eq!(export(&["--with-id", "--where", "n IS NULL"]), "id,n,text\n10,,NA\n");
    assert_eq!(export(&["--null", "NA", "--range", "9.."]), "n,text\n9,t9\nNA,\"NA\"\n");
    assert_eq!(export(&["--as", "tsv", "--range", "..1"]), "n\ttext\n0\tt0\n");
    assert_eq!(
        export(&["--as", "ndjson", "--range", "..1", "--with-id", "--select", "\"text\",n"]),
        "{\"id\":0,\"text\":\"t0\",\"n\":0}\n"
    );
    place.write("ids.txt", "7\n2\n7\n");
    assert_eq!(export(&["--ids", "ids.txt", "--with-id"]), "id,n,text\n7,7,t7\n2,2,t2\n7,7,t7\n");
    place.write("ids.txt", "7\n99\n");
    let ran = place.run(["export", "n.rec", "out.csv", "--ids", "ids.txt"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stderr.contains("ids.txt, line 2: n.rec has no record 99"), "{ran:?}");
    assert!(!place.path("out.csv").exists());
    let said = place.error(["export", "n.rec", "out.csv", "--null", "9"]);
    assert!(said.contains("record 9") && said.contains("is the text for null"), "{said}");
    let said = place.error(["export", "n.rec", "out.csv", "--where", "text > 5"]);
    assert!(said.contains("cannot be compared"), "{said}");
    assert_eq!(place.files().iter().filter(|name| name.contains("out.csv")).count(), 0);
}

/// Finds a compressed export that `load` does not read back, or that loses records.
#[test]
fn compressed_exports_are_read_back() {
    let place = numbers();
    for (name, delimiter) in [("out.csv.gz", ","), ("out.csv.zst", ","), ("out.tsv.gz", "tab")] {
        place.ok(["export", "n.rec", name]);
        place.ok(["load", name, "back.rec", "--force", "--delimiter", delimiter]);
        let csv = |store: &str| place.ok(["scan", store, "--format", "csv"]);
        assert_eq!(csv("back.rec"), csv("n.rec"), "{name}");
    }
}

/// Finds an option that a format ignores.
#[test]
fn options_that_a_format_does_not_have_are_refused() {
    let place = numbers();
    for args in [
        &["out.npy", "--no-header"][..],
        &["out.ndjson", "--no-header"],
        &["out.ndjson", "--null", "NA"],
        &["out.npy", "--null", "NA"],
        &["out.npy", "--select", "n"],
        &["-", "--as", "npy", "--with-id"],
        &["out.csv", "--null", "a,b"],
        &["out.csv", "--ids", "x", "--where", "n = 1"],
        &["out.csv", "--ids", "x", "--range", "1.."],
    ] {
        place.usage([&["export", "n.rec"], args].concat());
    }
    // A wrong combination, as those above: before, the error did not name the output.
    for out in ["-", "out.npy.gz", "out.npy.zst", "out.NPY.GZ"] {
        for how in [["--where", "n = 1"], ["--ids", "x"]] {
            let said = place.usage([&["export", "n.rec", out, "--as", "npy"], &how[..]].concat());
            let name = if out == "-" { "standard output" } else { out };
            assert!(said.contains(&format!("{} cannot be used with", how[0])), "{said}");
            assert!(said.contains(name) && said.contains("write it to a file"), "{said}");
        }
    }
    let said = place.error(["export", "n.rec", "out.xlsx"]);
    assert!(said.contains("out.xlsx") && said.ends_with("or give the format with --as)"), "{said}");
    assert_eq!(place.files().iter().filter(|name| name.contains("out.")).count(), 0);
}

/// Finds an export to a closed pipe that is an error, and one to a full disk that succeeds.
#[test]
fn an_export_to_standard_output_ends_as_a_scan_does() {
    let place = Place::new();
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let mut store = DynStore::create(place.path("many.rec"), &schema).unwrap();
    store.append_packed(&vec![7; 8 * 200_000]).unwrap(); // more than a pipe holds
    store.close().unwrap();
    for format in ["csv", "ndjson", "npy"] {
        let mut command = place.command(["export", "many.rec", "-", "--as", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap(); // and then closes it
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{format}");
    }
    #[cfg(target_os = "linux")]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = place.command(["export", "many.rec", "-"]);
        let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
    }
}

/// Finds a record's number that is missing, or beside a field of the same name.
#[test]
fn scan_and_tail_give_the_number_of_each_record() {
    let place = numbers();
    let scan = |args: &[&str]| place.ok([&["scan", "n.rec", "--with-id"], args].concat());
    assert_eq!(scan(&["--where", "n > 8"]), "id  n  text\n 9  9  t9\n");
    assert_eq!(scan(&["--where", "n > 8", "--format", "csv"]), "id,n,text\n9,9,t9\n");
    assert_eq!(
        scan(&["--where", "n > 8", "--format", "ndjson", "--select", "n"]),
        "{\"id\":9,\"n\":9}\n"
    );
    let tail = place.ok(["tail", "n.rec", "-n1", "--with-id", "--format", "csv"]);
    assert_eq!(tail, "id,n,text\n10,,NA\n");
    place.write("in.csv", "id,n\n5,6\n");
    place.ok(["load", "in.csv", "id.rec"]);
    for command in [&["scan", "id.rec"][..], &["tail", "id.rec"], &["export", "id.rec", "o.csv"]] {
        let said = place.error([command, &["--with-id"]].concat());
        assert!(said.contains("a field has that name"), "{said}");
        if command[0] != "export" {
            assert!(place.ok([command, &["--with-id", "--select", "n"]].concat()).contains("0  6"));
        }
    }
}

/// A file with two byte order marks became a store whose export could not be appended.
#[test]
fn a_name_that_begins_with_a_mark_survives_export_and_append() {
    let place = Place::new();
    place.write("in.csv", "\u{feff}\u{feff}id,v\n1,2\n");
    place.ok(["load", "in.csv", "s.rec"]);
    for name in ["out.csv", "out.csv.gz"] {
        place.ok(["export", "s.rec", name]);
        place.ok(["append", "s.rec", name]);
    }
    assert_eq!(place.ok(["scan", "s.rec", "--count"]), "4\n");
    place.write("scan.csv", place.ok(["scan", "s.rec", "--format", "csv"]));
    place.ok(["append", "s.rec", "scan.csv"]);
    assert_eq!(place.ok(["scan", "s.rec", "--count", "--where", "\"\u{feff}id\" = 1"]), "8\n");
}
