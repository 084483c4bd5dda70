//! Exports: what the files hold, and that they appear whole or not at all.
#![cfg(feature = "exchange")]

use std::fs;
use std::path::Path;

use flatrec::exchange::{
    CsvOptions, CsvReader, ExportFormat, Exporter, Input, NdjsonWriter, Progress,
};
use flatrec::{DataType, DynStore, ErrorKind, Field, Schema, TimeUnit, Value};

fn records(schema: &Schema, rows: &[&[Value<'_>]]) -> Vec<Vec<u8>> {
    let record = |row: &&[Value<'_>]| {
        let mut record = vec![0; schema.record_size() as usize];
        for (field, value) in schema.fields().iter().zip(*row) {
            field.write(&mut record, value).unwrap();
        }
        record
    };
    rows.iter().map(record).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Finds a type that becomes invalid JSON, such as a NaN.
#[test]
fn ndjson_has_a_form_for_every_type() {
    use DataType::*;
    let schema = Schema::packed([
        Field::new("flag", Bool),
        Field::new("int", Int64),
        Field::new("uint", UInt64),
        Field::new("float", Float64),
        Field::new("single", Float32),
        Field::new("day", Date32),
        Field::new("at", Timestamp(TimeUnit::Millisecond)).utc(),
        Field::new("a \"quoted\" name", Utf8(12)),
        Field::new("bytes", Binary(2)),
        Field::new("maybe", Int8).nullable(),
    ])
    .unwrap();
    let rows = records(
        &schema,
        &[
            &[
                Value::Bool(true),
                Value::Int(i64::MIN),
                Value::UInt(u64::MAX),
                Value::Float(0.1),
                Value::Float32(0.1),
                Value::Date(15_706),
                Value::Timestamp(1, TimeUnit::Millisecond),
                Value::Text("a\"\\\n\u{1}é"),
                Value::Binary(&[0, 255]),
                Value::Null,
            ],
            &[
                Value::Bool(false),
                Value::Int(0),
                Value::UInt(0),
                Value::Float(f64::NAN),
                Value::Float32(f32::NEG_INFINITY),
                Value::Date(0),
                Value::Timestamp(0, TimeUnit::Millisecond),
                Value::Text(""),
                Value::Binary(&[1, 2]),
                Value::Int(-7),
            ],
        ],
    );
    let mut ndjson = NdjsonWriter::new(Vec::new(), schema.fields());
    for record in &rows {
        ndjson.write(record).unwrap();
    }
    let text = String::from_utf8(ndjson.finish().unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"flag":true,"int":-9223372036854775808,"uint":18446744073709551615,"float":0.1,"#
            .to_owned()
            + r#""single":0.1,"day":"2013-01-01","at":"1970-01-01T00:00:00.001Z","#
            + r#""a \"quoted\" name":"a\"\\\n\u0001é","bytes":"00ff","maybe":null}"#
    );
    assert!(lines[1].contains(r#""float":"NaN","single":"-inf""#), "{}", lines[1]);
    assert!(lines[1].ends_with(r#""bytes":"0102","maybe":-7}"#), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
}

/// Finds an array that an export writes as text.
#[test]
fn ndjson_arrays_are_arrays() {
    let schema = Schema::packed([
        Field::new("floats", DataType::Float32).array(3),
        Field::new("texts", DataType::Utf8(3)).array(2),
        Field::new("flags", DataType::Bool).array(2).nullable(),
    ])
    .unwrap();
    let mut record = vec![0; schema.record_size() as usize];
    let fields = schema.fields();
    let floats = [0.5, f32::INFINITY, 1e20].map(Value::Float32);
    fields[0].write_elements(&mut record, &floats).unwrap();
    fields[1].write_elements(&mut record, &[Value::Text("a\"b"), Value::Text("")]).unwrap();
    let mut ndjson = NdjsonWriter::new(Vec::new(), fields);
    ndjson.write(&record).unwrap();
    fields[2].write_elements(&mut record, &[true, false].map(Value::Bool)).unwrap();
    ndjson.write(&record).unwrap();
    let text = String::from_utf8(ndjson.finish().unwrap()).unwrap();
    let start = r#"{"floats":[0.5,"inf",1e20],"texts":["a\"b",""],"flags":"#;
    assert_eq!(text, format!("{start}null}}\n{start}[true,false]}}\n"));
}

fn numbers(count: i64) -> (Schema, DynStore) {
    let schema = Schema::packed([Field::new("n", DataType::Int64)]).unwrap();
    let mut store = DynStore::temporary(&schema).unwrap();
    for n in 0..count {
        store.append(&n.to_le_bytes()).unwrap();
    }
    (schema, store)
}

/// Finds an export that leaves a part of a file under the final name, or an unfinished file beside
/// it.
#[test]
fn an_export_leaves_a_whole_file_or_nothing() {
    let (schema, store) = numbers(300_000);
    let dir = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("n.csv", ExportFormat::Csv),
        ("n.ndjson", ExportFormat::Ndjson),
        ("n.npy", ExportFormat::Npy),
    ] {
        let path = dir.path().join(name);
        assert_eq!(ExportFormat::from_path(&path).unwrap(), format);
        let mut seen: Vec<Progress> = Vec::new();
        let report = Exporter::new(&schema, format)
            .on_progress(|progress| {
                seen.push(progress);
                Ok(())
            })
            .export(store.iter(), &path)
            .unwrap();
        assert_eq!(report.records, 300_000);
        assert_eq!(report.written_bytes, fs::metadata(&path).unwrap().len());
        let last = seen.last().unwrap();
        assert_eq!((last.done_bytes, last.rows), (2_400_000, 300_000));
        assert!(seen.len() > 2 && seen.is_sorted_by_key(|progress| progress.done_bytes));
    }
    assert_eq!(names(dir.path()), ["n.csv", "n.ndjson", "n.npy"]);
    let npy = fs::read(dir.path().join("n.npy")).unwrap();
    assert_eq!(npy.len(), 128 + 2_400_000);
    assert_eq!(npy[128 + 8 * 7..128 + 8 * 8], 7i64.to_le_bytes());
}

/// Finds an export that overwrites a file unasked.
#[test]
fn an_export_replaces_a_file_only_if_asked() {
    let (schema, store) = numbers(3);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n.csv");
    fs::write(&path, "old").unwrap();
    let export = |replace| {
        Exporter::new(&schema, ExportFormat::Csv).replace(replace).export(store.iter(), &path)
    };
    let error = export(false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.file_path(), Some(&*path));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    export(true).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"n\n0\n1\n2\n");
    assert_eq!(names(dir.path()), ["n.csv"]);
}

/// Finds an export that writes through a symbolic link. An export replaces the link itself, as
/// `std::fs::rename` does.
#[test]
#[cfg(unix)]
fn an_export_replaces_a_link_and_keeps_its_target() {
    let (schema, store) = numbers(3);
    let dir = tempfile::tempdir().unwrap();
    for (ending, format) in
        [("csv", ExportFormat::Csv), ("ndjson", ExportFormat::Ndjson), ("npy", ExportFormat::Npy)]
    {
        for target in ["precious", "nowhere"] {
            let path = dir.path().join(format!("{target}.{ending}"));
            fs::write(dir.path().join("precious"), "three years of work").unwrap();
            std::os::unix::fs::symlink(target, &path).unwrap();
            Exporter::new(&schema, format).replace(true).export(store.iter(), &path).unwrap();
            assert!(path.symlink_metadata().unwrap().is_file(), "{target}.{ending}");
            assert_eq!(fs::read(dir.path().join("precious")).unwrap(), b"three years of work");
            assert!(!dir.path().join("nowhere").exists());
        }
    }
}

/// Finds an export that removes the old file before the new one is whole.
#[test]
fn an_export_that_fails_at_a_record_keeps_the_old_file() {
    let schema = Schema::packed([Field::new("flag", DataType::Bool)]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flags.csv");
    fs::write(&path, "old").unwrap();
    let records: [&[u8]; 3] = [&[0], &[1], &[9]];
    let error = Exporter::new(&schema, ExportFormat::Csv)
        .replace(true)
        .export((0..).zip(records), &path)
        .unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(2)));
    // The error names the record and not the output.
    assert_eq!(error.file_path(), None);
    assert!(error.to_string().starts_with("read, record 2: corrupt: field flag"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(dir.path()), ["flags.csv"]);

    // A raw export does not check values.
    let path = dir.path().join("flags.npy");
    Exporter::new(&schema, ExportFormat::Npy).export((0..).zip(records), &path).unwrap();
    assert!(fs::read(&path).unwrap().ends_with(&[0, 1, 9]));
}

/// Finds a write error without the path.
#[test]
fn write_errors_name_the_output() {
    let (schema, store) = numbers(3);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("n.csv");
    for format in [ExportFormat::Csv, ExportFormat::Ndjson, ExportFormat::Npy] {
        let error = Exporter::new(&schema, format).export(store.iter(), &path).unwrap_err();
        assert_eq!((error.kind(), error.record_number()), (ErrorKind::NotFound, None));
        assert_eq!(error.file_path(), Some(&*path));
    }
}

/// Finds an ending that selects the wrong format.
#[test]
fn the_ending_of_a_name_selects_the_format() {
    for (path, format) in [
        ("a.csv", ExportFormat::Csv),
        ("A.CSV", ExportFormat::Csv),
        ("dir.npy/a.ndjson", ExportFormat::Ndjson),
        ("a.jsonl", ExportFormat::Ndjson),
        ("a.b.npy", ExportFormat::Npy),
        ("a.tsv", ExportFormat::Tsv),
        ("a.csv.gz", ExportFormat::Csv),
        ("a.NDJSON.ZST", ExportFormat::Ndjson),
    ] {
        assert_eq!(ExportFormat::from_path(path).unwrap(), format);
    }
    for path in ["csv", "a", "a.gz", "a.csv.bz2", "a.json", ".csv", "a.csv.gz.gz"] {
        let error = ExportFormat::from_path(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{path}");
    }
}

/// Finds text with the chosen delimiter that an export does not quote.
#[test]
fn tables_with_other_delimiters_survive_a_load_and_an_export() {
    let csv = "a;b\n\"x;y\";1,5\n\"x\"\"y\";2\n";
    let options = || CsvOptions::new().delimiter(b';').unwrap();
    let mut reader = CsvReader::new(Input::from_bytes(csv), options());
    let schema = reader.infer(None).unwrap().schema;
    let mut store = DynStore::temporary(&schema).unwrap();
    reader.load(&schema, &mut store).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    Exporter::new(&schema, ExportFormat::Csv).delimiter(b';').export(store.iter(), &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), csv);
}

/// Finds a compressed export that is not whole, or is not compressed.
#[test]
fn the_ending_of_a_name_selects_the_compression() {
    let (schema, store) = numbers(200_000);
    let dir = tempfile::tempdir().unwrap();
    let export = |name: &str| {
        let path = dir.path().join(name);
        let format = ExportFormat::from_path(&path).unwrap();
        let report = Exporter::new(&schema, format).export(store.iter(), &path).unwrap();
        assert_eq!(report.written_bytes, fs::metadata(&path).unwrap().len());
        fs::read(path).unwrap()
    };
    let plain = export("n.csv");
    for (name, magic) in [("n.csv.gz", &[0x1f, 0x8b][..]), ("n.csv.zst", &[0x28, 0xb5, 0x2f, 0xfd])]
    {
        let packed = export(name);
        assert!(packed.starts_with(magic) && packed.len() < plain.len() / 2, "{name}");
        let mut reader = CsvReader::new(Input::from_bytes(&packed), CsvOptions::new());
        let mut records = Vec::new();
        reader.load(&schema, &mut records).unwrap();
        assert_eq!(records.len(), 8 * 200_000, "{name}");
        assert_eq!(records[8 * 199_999..], 199_999i64.to_le_bytes());
    }
    export("n.npy.gz");
    let error = Exporter::new(&schema, ExportFormat::Npy).begin(dir.path().join("m.npy.zst"));
    assert_eq!(error.err().unwrap().kind(), ErrorKind::InvalidArgument);
    assert_eq!(names(dir.path()), ["n.csv", "n.csv.gz", "n.csv.zst", "n.npy.gz"]);
}

/// Finds an export that is not whole and has its name, and an array with a wrong length.
#[test]
fn records_are_pushed_one_by_one_and_the_file_appears_at_the_end() {
    let schema = Schema::packed([Field::new("n", DataType::Int16).nullable()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for name in ["n.csv", "n.csv.gz", "n.tsv.zst", "n.npy"] {
        let path = dir.path().join(name);
        let begin = || {
            let format = ExportFormat::from_path(&path).unwrap();
            Exporter::new(&schema, format).begin(&path).unwrap()
        };
        let mut dropped = begin();
        dropped.push(0, &[1, 7, 0]).unwrap();
        drop(dropped);
        assert_eq!(names(dir.path()), [""; 0], "{name}");
        let mut export = begin();
        export.push(3, &[1, 7, 0]).unwrap();
        export.push(9, &[0, 0, 0]).unwrap();
        assert!(!path.exists(), "{name}");
        assert_eq!(export.finish().unwrap().records, 2);
        assert_eq!(names(dir.path()), [name]);
        if name == "n.npy" {
            let npy = fs::read(&path).unwrap();
            assert!(npy.windows(13).any(|it| it == b"'shape': (2,)"));
            assert!(npy.ends_with(&[1, 7, 0, 0, 0, 0]));
        }
        fs::remove_file(path).unwrap();
    }
    let mut out = Vec::new();
    let exporter = Exporter::new(&schema, ExportFormat::Npy).count(2);
    let mut export = exporter.begin_to(&mut out).unwrap();
    export.push(0, &[1, 7, 0]).unwrap();
    assert_eq!(export.finish().unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// Finds a text for null that another value has too, and a name whose start a reader takes for the
/// mark of its encoding.
#[test]
fn what_an_export_writes_is_read_back_as_it_was() {
    let schema = Schema::packed([
        Field::new("\u{feff}id", DataType::Utf8(6)).nullable(),
        Field::new("n", DataType::Int8).nullable(),
    ])
    .unwrap();
    let rows = records(
        &schema,
        &[
            &[Value::Text("NA"), Value::Int(1)],
            &[Value::Null, Value::Null],
            &[Value::Text(""), Value::Int(-1)],
            &[Value::Text("\u{feff}"), Value::Int(0)],
        ],
    );
    let mut csv = Vec::new();
    let mut export =
        Exporter::new(&schema, ExportFormat::Tsv).null_text("NA").begin_to(&mut csv).unwrap();
    for (id, row) in (0..).zip(&rows) {
        export.push(id, row).unwrap();
    }
    export.finish().unwrap();
    let text = String::from_utf8(csv.clone()).unwrap();
    assert_eq!(text, "\"\u{feff}id\"\tn\n\"NA\"\t1\nNA\tNA\n\"\"\t-1\n\"\u{feff}\"\t0\n");
    let options = CsvOptions::new().delimiter(b'\t').unwrap().null_text("NA");
    let mut loaded = Vec::new();
    CsvReader::new(Input::from_bytes(&csv), options).load(&schema, &mut loaded).unwrap();
    assert_eq!(loaded, rows.concat());

    let mut out = Vec::new();
    let exporter = Exporter::new(&schema, ExportFormat::Csv).null_text("-1");
    let mut export = exporter.begin_to(&mut out).unwrap();
    let error = export.push(2, &rows[2]).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::InvalidValue, Some(2)));
    drop(export);
    for null in ["a,b", "a\"", "a\n"] {
        let exporter = Exporter::new(&schema, ExportFormat::Csv).null_text(null);
        assert!(exporter.begin_to(Vec::new()).is_err(), "{null:?}");
    }
}

/// Records of an id and of a text that sometimes needs quotes or is null, and their schema.
fn lines(count: u64) -> (Schema, Vec<u8>) {
    let schema = Schema::packed([
        Field::new("n", DataType::UInt64),
        Field::new("text", DataType::Utf8(9)).nullable(),
    ])
    .unwrap();
    let mut records = Vec::new();
    for n in 0..count {
        let mut record = vec![0; schema.record_size() as usize];
        record[..8].copy_from_slice(&n.to_le_bytes());
        let text = ["a,b", "", "plain", "two\nlines", "\"x\""][n as usize % 5];
        if n % 7 != 0 {
            schema.fields()[1].write(&mut record, &Value::Text(text)).unwrap();
        }
        records.extend(record);
    }
    (schema, records)
}

/// Finds threads whose text comes in another order than the records, or with a part left out.
#[test]
fn the_number_of_threads_does_not_change_an_export() {
    // More than every thread takes at a time, and a rest.
    let (schema, records) = lines(350_003);
    let size = schema.record_size() as usize;
    for format in [ExportFormat::Csv, ExportFormat::Tsv, ExportFormat::Ndjson, ExportFormat::Npy] {
        let export = |threads| {
            let mut exporter = Exporter::new(&schema, format).count(350_003).threads(threads);
            if format != ExportFormat::Npy {
                exporter = exporter.id_column("id");
            }
            let mut out = Vec::new();
            let mut export = exporter.begin_to(&mut out).unwrap();
            for (id, record) in (100..).zip(records.chunks_exact(size)) {
                export.push(id, record).unwrap();
            }
            let report = export.finish().unwrap();
            assert_eq!((report.records, report.written_bytes), (350_003, out.len() as u64));
            out
        };
        let alone = export(1);
        for threads in [2, 3, 8] {
            assert!(export(threads) == alone, "{format:?}, {threads} threads");
        }
    }
}

/// Finds an error of another record than the first one that cannot be read, rows before it that are
/// missing, and a part of it that is written.
#[test]
fn threads_stop_at_the_first_record_that_cannot_be_read() {
    let (schema, mut records) = lines(100_000);
    let size = schema.record_size() as usize;
    for bad in [60_001, 60_002, 90_000] {
        records[bad * size + 8] = 2; // neither null nor present
    }
    for threads in [1, 2, 3] {
        let mut out = Vec::new();
        let exporter = Exporter::new(&schema, ExportFormat::Csv).threads(threads);
        let mut export = exporter.begin_to(&mut out).unwrap();
        let pushed = (0..)
            .zip(records.chunks_exact(size))
            .try_for_each(|(id, record)| export.push(id, record));
        let error = pushed.and_then(|()| export.finish().map(drop)).unwrap_err();
        assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(60_001)));
        if threads > 1 {
            let mut read = CsvReader::new(Input::from_bytes(&out), CsvOptions::new());
            let mut back: Vec<u8> = Vec::new();
            read.load(&schema, &mut back).unwrap();
            assert!(back == records[..60_001 * size]);
        }
    }
}

/// Finds an export that goes on, or waits for ever, after its writer has failed.
#[test]
fn threads_end_when_the_writer_fails() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, from: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(from.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(from.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (schema, records) = lines(200_000);
    for threads in [1, 3] {
        let exporter = Exporter::new(&schema, ExportFormat::Csv).threads(threads);
        let mut export = exporter.begin_to(Full(1_500_000)).unwrap();
        let mut records = (0..).zip(records.chunks_exact(schema.record_size() as usize));
        let pushed = records.try_for_each(|(id, record)| export.push(id, record));
        let error = pushed.and_then(|()| export.finish().map(drop)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
    }
}

/// Finds records that are cut at wrong places because one has another size.
#[test]
fn an_export_refuses_a_record_of_another_size() {
    let (schema, _) = numbers(0);
    let mut export = Exporter::new(&schema, ExportFormat::Csv).begin_to(Vec::new()).unwrap();
    let error = export.push(3, &[7; 9]).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::InvalidArgument, Some(3)));
    assert!(error.to_string().contains("9 bytes instead of 8"), "{error}");
}

/// Finds an export to Arrow, or a load, with numbers in the wrong order of bytes.
#[cfg(all(feature = "arrow", target_endian = "big"))]
#[test]
fn arrow_is_refused_where_bytes_have_another_order() {
    use flatrec::exchange::{InputFormat, TableReader};
    let schema = Schema::packed([Field::new("n", DataType::UInt16)]).unwrap();
    let store = DynStore::temporary(&schema).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("numbers.arrow");
    let exported = Exporter::new(&schema, ExportFormat::Arrow).export(store.iter(), &path);
    assert_eq!(exported.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(names(dir.path()).is_empty());
    let input = Input::from_bytes("ARROW1\0\0");
    let error = TableReader::new(input, InputFormat::Arrow).unwrap().infer(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
