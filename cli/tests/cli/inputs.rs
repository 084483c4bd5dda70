//! Files as people have them: compressed, in UTF-16, or not CSV at all.

use super::packed::{Packer, utf16};
use super::*;

const CSV: &str = "id,name\n1,Ada\n2,Łukasz\n3,\n";

/// Runs a command with this standard input, through a pipe.
fn piped(place: &Place, args: &[&str], input: &[u8]) -> Ran {
    let mut command = place.command(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Finds a command that does not read one of the packings, from a file or a pipe.
#[test]
fn load_and_append_read_every_packing_and_encoding() {
    let place = Place::new();
    place.write("plain.csv", CSV);
    place.ok(["load", "plain.csv", "plain.rec"]);
    place.ok(["append", "plain.rec", "plain.csv"]);
    let rows = |store| place.ok(["scan", store, "--format", "csv"]);
    let expected = rows("plain.rec");
    let mut inputs = vec![utf16(CSV, false), utf16(CSV, true)];
    for packer in Packer::ALL {
        inputs.push(packer.pack(CSV.as_bytes()));
        inputs.push(packer.pack(&utf16(CSV, false)));
    }
    for input in inputs {
        place.write("in.csv", &input);
        place.ok(["load", "in.csv", "out.rec", "--force"]);
        place.ok(["append", "out.rec", "in.csv"]);
        assert_eq!(rows("out.rec"), expected);
        let ran = piped(&place, &["load", "-", "out.rec", "--force"], &input);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{ran:?}");
        let ran = piped(&place, &["append", "out.rec", "-"], &input);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{ran:?}");
        assert_eq!(rows("out.rec"), expected);
    }
}

/// Finds rows of a damaged input that are kept.
#[test]
fn a_damaged_input_loads_nothing() {
    let place = Place::new();
    place.write("schema.csv", CSV);
    place.ok(["load", "schema.csv", "out.rec"]);
    let schema = place.ok(["schema", "out.rec", "--as", "json"]);
    place.write("schema.json", schema);
    let before = (place.files(), bytes(&place.path("out.rec")));
    for packer in Packer::ALL {
        let mut input = packer.pack(CSV.as_bytes());
        input.pop();
        place.write("schema.csv", &input);
        for args in [
            &["load", "schema.csv", "x.rec"][..],
            &["load", "schema.csv", "x.rec", "--schema", "schema.json"],
            &["load", "schema.csv", "x.rec", "--sample", "1", "--rejects", "bad.csv"],
            &["append", "out.rec", "schema.csv"],
        ] {
            let text = place.error(args);
            let start = format!("decompress schema.csv at byte {}: truncated: ", input.len());
            assert!(text.starts_with(&start), "{args:?}: {text}");
            assert!((place.files(), bytes(&place.path("out.rec"))) == before, "{args:?}");
        }
    }
}

/// Finds a store that is made of a file that is not CSV.
#[test]
fn other_kinds_of_files_are_refused_with_advice() {
    let place = Place::new();
    let store = people(&place);
    let text = place.error(["load", "people.rec", "x.rec"]);
    assert_eq!(
        text,
        "read people.rec: invalid value: the file is a flatrec store, not CSV (give a CSV file: \
         the records of a store can be exported as CSV)"
    );
    place.write("book.csv", b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml");
    for args in [&["load", "book.csv", "x.rec"][..], &["append", "people.rec", "book.csv"]] {
        let text = place.error(args);
        let why = "invalid value: the file is an Excel workbook (xlsx), not CSV (open it in a \
                   spreadsheet program and save the sheet as CSV)";
        assert_eq!(text, format!("read book.csv: {why}"));
    }
    drop(store);
    assert_eq!(place.files(), ["book.csv", "people.rec", "people.rec-lock"]);
}

/// Finds a decoder that keeps the whole text, or the whole input. The load of a small file says how
/// much memory the command takes on this machine, with as much of the program as is read.
#[test]
#[cfg(target_os = "linux")]
fn a_compressed_text_of_any_length_takes_little_memory() {
    const PART_BYTES: usize = 1 << 20;
    const PARTS: usize = 24;
    let place = Place::new();
    let args = ["load", "in.csv", "x.rec", "--comment", "#", "--force"];
    place.write("in.csv", "a\n1\n2\n");
    let Some((small_kib, ran)) = super::hostile::with_peak_memory(&place, &args) else { return };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let comment = format!("#{}\n", "x".repeat(62)).repeat(PART_BYTES / 64);
    let order = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut inputs: Vec<(String, Vec<u8>)> = Vec::new();
    for packer in Packer::ALL {
        let part = packer.pack(comment.as_bytes());
        let ends = [packer.pack(b"a\n1\n"), packer.pack(b"2\n")];
        let bytes = [&ends[0][..], &part.repeat(PARTS), &ends[1]].concat();
        inputs.push((format!("{packer:?}"), bytes));
    }
    let part = Packer::Zstd.pack(&order(&comment[..comment.len() / 2]));
    let ends = [Packer::Zstd.pack(&utf16("a\n1\n", false)), Packer::Zstd.pack(&order("2\n"))];
    inputs.push(("UTF-16".into(), [&ends[0][..], &part.repeat(PARTS), &ends[1]].concat()));
    for (name, bytes) in inputs {
        place.write("in.csv", bytes);
        let Some((peak_kib, ran)) = super::hostile::with_peak_memory(&place, &args) else { return };
        assert_eq!(ran.status, Some(0), "{name}: {ran:?}");
        println!("{name}: {peak_kib} KiB, a small file {small_kib} KiB");
        assert!(peak_kib < small_kib + (16 << 10), "{name}: {peak_kib} of {small_kib} KiB");
        assert_eq!(place.ok(["scan", "x.rec", "--format", "csv"]), "a\n1\n2\n", "{name}");
    }
}

/// Finds a long text that makes a large store without a word, or an error that names no way out.
#[test]
fn a_long_text_is_told_before_the_store_is_written() {
    let place = Place::new();
    let row = |row| match row {
        7 => format!("{row},{}\n", "y".repeat(60_000)),
        _ => format!("{row},a\n"),
    };
    let csv = format!("id,note\n{}", (0..3000).map(row).collect::<String>());
    place.write("in.csv", &csv);
    assert_eq!(
        place.error(["load", "in.csv", "x.rec"]),
        format!(
            "infer a schema of in.csv: invalid schema: the longest text of column \"note\" has \
             60000 bytes, on line 9, so 3000 records of 60008 bytes would take 180024000 bytes, \
             for {} bytes of text (give the column a smaller width (--text-width COLUMN=N), and \
             set rows that do not fit aside (--rejects FILE))",
            csv.len()
        )
    );
    assert_eq!(place.files(), ["in.csv"]);
    let args = ["load", "in.csv", "x.rec", "--text-width", "note=16", "--rejects", "bad.csv"];
    let out = place.ok(args);
    assert!(out.contains("loaded    2999 records") && out.contains("rejected  1 row"), "{out}");
}
