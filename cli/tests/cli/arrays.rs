//! NDJSON, Arrow, Parquet and arrays of numpy as inputs of `load` and `append`. They are made by
//! `export`, so that no other program is needed; `tests/it/exchange_npy.rs` and `exchange_arrow.rs`
//! have those that other programs make.

use super::*;

/// Bytes of a .npy file of the numbers, as `f8`.
fn floats(numbers: &[f64]) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},)}}\n", numbers.len());
    let len = u16::try_from(header.len()).unwrap().to_le_bytes();
    let elements: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    [&b"\x93NUMPY\x01\0"[..], &len, header.as_bytes(), &elements].concat()
}

/// Finds an exported array that comes back as other records.
#[test]
fn an_exported_array_is_loaded_again() {
    let place = Place::new();
    place.write("in.csv", "day,n,text\n2013-01-31,5,ab\n2013-02-01,,c\n");
    place.ok(["load", "in.csv", "a.rec"]);
    place.ok(["export", "a.rec", "a.npy"]);
    let said = place.ok(["load", "a.npy", "b.rec", "--type", "day=date32"]);
    assert!(said.starts_with("loaded    2 records into b.rec"), "{said}");
    let csv = place.ok(["export", "a.rec", "-"]);
    assert_eq!(place.ok(["export", "b.rec", "-"]), csv);
    let said = place.ok(["append", "b.rec", "a.npy"]);
    assert!(said.contains("2 records into b.rec"), "{said}");
    assert_eq!(place.ok(["scan", "b.rec", "--count"]).trim(), "4");
    place.ok(["load", "a.npy", "c.rec", "--schema", "a.rec"]);
    assert_eq!(place.ok(["export", "c.rec", "-"]), csv);

    // From standard input the format is given.
    let mut command = place.command(["load", "-", "d.rec", "--format", "npy"]);
    command.stdin(Stdio::from(std::fs::File::open(place.path("a.npy")).unwrap()));
    assert!(output_of(&mut command).status.success());
    assert_eq!(place.ok(["scan", "d.rec", "--count"]).trim(), "2");
}

/// Finds a value that does not fit and is loaded, or advice that names no option.
#[test]
fn bad_rows_of_an_array_are_named_or_set_aside() {
    let place = Place::new();
    place.write("in.npy", floats(&[7.0, 0.5, 300.0, 8.0]));
    let load = ["load", "in.npy", "n.rec", "--type", "value=uint8"];
    let said = place.error(load);
    assert_eq!(
        said,
        "load in.npy: invalid value: row 2: field value (uint8): \"0.5\": 0.5 is no integer \
         (correct it, or set bad rows aside with --rejects FILE, or store the nearest values with \
         --round)"
    );
    assert_eq!(place.files(), ["in.npy"]);
    let said = place.ok([&load[..], &["--rejects", "bad.csv"]].concat());
    assert!(said.contains("rejected  2 rows"), "{said}");
    let rejects = place.read("bad.csv");
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(lines[0], "line,column,reason,row");
    assert!(lines[1].starts_with("2,value,") && lines[1].ends_with(",0.5"), "{rejects}");
    assert!(lines[2].starts_with("3,value,") && lines[2].ends_with(",300.0"), "{rejects}");
    assert_eq!(place.ok(["export", "n.rec", "-"]), "value\n7\n8\n");
}

/// Finds an option that does nothing for a format, and a file whose kind is not told.
#[test]
fn options_and_files_of_another_format_are_refused() {
    let place = Place::new();
    place.write("in.npy", floats(&[7.0]));
    place.write("in.csv", "a\n1\n");
    for option in [
        &["--null", "NA"][..],
        &["--no-header"],
        &["--delimiter", ";"],
        &["--narrow"],
        &["--skip", "2"],
    ] {
        let said = place.usage([&["load", "in.npy", "n.rec"], option].concat());
        let name = option[0];
        assert!(said.contains(&format!("{name} cannot be used with this format")), "{said}");
    }
    let said = place.usage(["load", "in.csv", "n.rec", "--array", "a"]);
    assert!(said.contains("--array cannot be used"), "{said}");
    let said = place.error(["load", "in.csv", "n.rec", "--format", "npy"]);
    assert!(said.contains("in.csv") && said.contains("no numpy array"), "{said}");
    // Its first bytes say what it is, whatever its name, unless an option says something else.
    std::fs::copy(place.path("in.npy"), place.path("in.txt")).unwrap();
    let said = place.error(["load", "in.txt", "n.rec", "--format", "csv"]);
    assert!(said.contains("a numpy array, not CSV (read it with --format npy)"), "{said}");
    place.ok(["load", "in.txt", "n.rec"]);
    place.ok(["load", "in.txt", "n.rec", "--format", "npy", "--force"]);
    assert_eq!(place.ok(["export", "n.rec", "-"]), "value\n7.0\n");
    let said = place.error(["load", "in.csv", "o.rec", "--format", "npz"]);
    assert!(said.contains("no zip archive"), "{said}");
    assert_eq!(place.files(), ["in.csv", "in.npy", "in.txt", "n.rec", "n.rec-lock", "n.rec-sum"]);
}

/// Finds NDJSON that comes back as other records, and a bad line without its place.
#[test]
fn ndjson_is_loaded_and_appended() {
    let place = Place::new();
    place.write(
        "in.jsonl",
        "{\"n\":1,\"at\":{\"x\":0.5}}\n\n{\"at\":{\"x\":2},\"n\":2,\"s\":\"a\"}\n",
    );
    place.ok(["load", "in.jsonl", "a.rec", "--type", "n=int16"]);
    let csv = "n,at.x,s\n1,0.5,\n2,2.0,a\n";
    assert_eq!(place.ok(["export", "a.rec", "-"]), csv);
    place.write("more.ndjson", "{\"n\":3,\"at.x\":1}\n{\"at.x\":1,\"n\":70000}\n");
    let said = place.run(["append", "a.rec", "more.ndjson"]);
    assert_eq!(said.status, Some(1));
    assert!(said.stderr.contains("more.ndjson: invalid value: line 2: field n"), "{said:?}");
    assert!(said.stderr.contains("flatrec migrate a.rec --type n=int32"), "{said:?}");
    assert_eq!(place.ok(["export", "a.rec", "-"]), csv);
    let said = place.run(["append", "a.rec", "more.ndjson"]);
    assert!(said.stderr.contains("line 2"), "{said:?}");

    let said = place.error(["load", "more.ndjson", "b.rec", "--type", "n=uint8"]);
    assert!(said.contains("line 2: field n (uint8): \"70000\""), "{said}");
    assert!(said.contains("set bad rows aside with --rejects FILE"), "{said}");
    place.ok(["load", "more.ndjson", "b.rec", "--type", "n=uint8", "--rejects", "bad.csv"]);
    let rejects = place.read("bad.csv");
    assert!(rejects.contains("\n2,n,") && rejects.contains("\"\"n\"\":70000}\""), "{rejects}");

    // A stream is read twice, from a copy.
    let mut command = place.command(["load", "-", "c.rec", "--format", "ndjson"]);
    command.stdin(Stdio::from(std::fs::File::open(place.path("in.jsonl")).unwrap()));
    assert!(output_of(&mut command).status.success());
    assert_eq!(place.ok(["export", "c.rec", "-"]), csv);
    place.write("array.json", "[{\"n\":1}]\n");
    let said = place.error(["load", "array.json", "d.rec", "--format", "ndjson"]);
    assert!(said.contains("line 1: column 1: the line begins an array"), "{said}");
}

/// Finds Arrow or Parquet that comes back as other records, and an ending that is not known.
#[cfg(feature = "parquet")]
#[test]
fn arrow_and_parquet_are_loaded_and_appended() {
    let place = Place::new();
    people(&place);
    let csv = place.ok(["export", "people.rec", "-"]);
    for ending in ["arrow", "feather", "ipc", "arrows", "parquet"] {
        let (file, store) = (format!("p.{ending}"), format!("{ending}.rec"));
        place.ok(["export", "people.rec", &*file]);
        place.ok(["load", &*file, &*store]);
        assert_eq!(place.ok(["export", &*store, "-"]), csv, "{ending}");
        assert_eq!(place.ok(["diff-schema", "people.rec", &*store]), "", "{ending}");
        place.ok(["append", &*store, &*file]);
        assert_eq!(place.ok(["scan", &*store, "--count"]).trim(), "6");
    }
    place.ok(["export", "people.rec", "few.parquet", "--select", "age,name", "--with-id"]);
    place.ok(["load", "few.parquet", "few.rec"]);
    let few = place.ok(["export", "few.rec", "-"]);
    assert!(few.starts_with("id,age,name\n0,36,Ada\n"), "{few}");

    // From standard input, which is copied to a file first.
    let mut command = place.command(["load", "-", "in.rec", "--format", "parquet"]);
    command.stdin(Stdio::from(std::fs::File::open(place.path("p.parquet")).unwrap()));
    assert!(output_of(&mut command).status.success());
    assert_eq!(place.ok(["export", "in.rec", "-"]), csv);
    std::fs::copy(place.path("p.parquet"), place.path("p.csv")).unwrap();
    let said = place.error(["load", "p.csv", "o.rec"]);
    assert!(said.contains("a Parquet file, not CSV (read it with --format parquet)"), "{said}");
    let said = place.error(["load", "p.csv", "o.rec", "--format", "arrow"]);
    assert!(said.contains("p.csv") && said.contains("of another format"), "{said}");
}

/// Finds a build without Parquet that takes its files for CSV, or that says no more than that.
#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_so() {
    let place = Place::new();
    people(&place);
    place.write("p.parquet", b"PAR1\x15\x04PAR1");
    let left_out = "this build of flatrec does not include Parquet (build it with the cargo \
                    feature `parquet`, which is on by default, or take CSV or NDJSON)";
    let files = place.files();
    let at_path = format!("p.parquet: {left_out}");
    assert_eq!(place.error(["load", "p.parquet", "o.rec"]), at_path);
    assert_eq!(place.error(["append", "people.rec", "p.parquet"]), at_path);
    assert_eq!(place.error(["export", "people.rec", "p.parquet", "--force"]), at_path);
    let gz = place.error(["export", "people.rec", "p.parquet.gz"]);
    assert_eq!(gz, format!("p.parquet.gz: {left_out}"));
    assert_eq!(place.error(["export", "people.rec", "-", "--as", "parquet"]), left_out);
    let load = ["load", "p.parquet", "o.rec", "--format"];
    assert_eq!(place.error([&load[..], &["parquet"]].concat()), left_out);
    let said = place.error([&load[..], &["csv"]].concat());
    assert!(said.contains("a Parquet file, not CSV"), "{said}");
    let ending = |file: &str| place.run(["export", "people.rec", file]);
    let arrow = ending("p.arrow");
    if cfg!(feature = "arrow") {
        assert_eq!(arrow.status, Some(0), "{arrow:?}");
    } else {
        assert!(arrow.stderr.contains("does not include Arrow"), "{arrow:?}");
        assert_eq!(place.files(), files);
    }
}
