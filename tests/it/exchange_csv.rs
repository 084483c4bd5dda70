//! Loading CSV through the public calls: what a load reads, what it refuses, and how it says so.
#![cfg(feature = "exchange")]

use std::io::{Read, Write};

use flatrec::exchange::{CsvOptions, CsvReader, CsvWriter, Input, Progress, RejectWriter};
use flatrec::{DataType, DynStore, ErrorKind, Field, Result, Schema};

/// Infers a schema, loads the records, and writes them as CSV again.
fn through(csv: impl AsRef<[u8]>, options: CsvOptions) -> Result<(Schema, String)> {
    let mut reader = CsvReader::new(Input::from_bytes(csv), options);
    let schema = reader.infer(None)?.schema;
    let mut records: Vec<u8> = Vec::new();
    reader.load(&schema, &mut records)?;
    Ok((schema.clone(), to_csv(&schema, &records)))
}

fn to_csv(schema: &Schema, records: &[u8]) -> String {
    let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',');
    csv.header().unwrap();
    for record in records.chunks_exact(schema.record_size() as usize) {
        csv.write(record).unwrap();
    }
    String::from_utf8(csv.finish().unwrap()).unwrap()
}

fn plain(csv: &str) -> (Schema, String) {
    through(csv, CsvOptions::new()).unwrap()
}

fn types(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.to_string()).collect()
}

#[track_caller]
fn fails(csv: impl AsRef<[u8]>, options: CsvOptions, kind: ErrorKind, words: &[&str]) {
    let error = through(csv, options).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
}

/// Finds a value that a load or an export changes.
#[test]
fn a_table_survives_a_load_and_an_export() {
    let csv = "id,name,when,ratio,ok\n\
               1,Ada,1815-12-10,0.5,true\n\
               2,\"Lovelace, \"\"A.\"\"\",,-1e300,false\n\
               3,\"\",1852-11-27,,true\n";
    let (schema, text) = plain(csv);
    assert_eq!(text, csv);
    assert_eq!(
        types(&schema),
        [
            "id: int64 at 0",
            "name: utf8(14) at 8",
            "when: date32 nullable at 22",
            "ratio: float64 nullable at 27",
            "ok: bool at 36",
        ]
    );
}

/// Finds a splitter that ends a row at a line end within quotes.
#[test]
fn quoted_text_keeps_line_ends_of_all_kinds() {
    let csv = "a,b\n\"x\ny\",1\n\"x\r\ny\",2\n\"x\ry\",3\n";
    assert_eq!(plain(csv).1, csv);
}

/// Finds a byte order mark or a blank line that becomes data.
#[test]
fn byte_order_marks_and_blank_lines_are_not_data() {
    let expected = "a,b\n1,x\n2,y\n";
    assert_eq!(plain("a,b\r\n1,x\r\n2,y\r\n").1, expected);
    assert_eq!(plain("a,b\n1,x\n2,y").1, expected);
    assert_eq!(plain("\u{feff}a,b\n1,x\n2,y\n").1, expected);
    assert_eq!(plain("\u{feff}\"a\",b\n1,x\n2,y\n").1, expected);
    assert_eq!(plain("\n\r\na,b\n\n1,x\n\r\n2,y\n\n").1, expected);
}

/// Finds a line end of an old program that is taken for text, and a line that is counted wrong.
#[test]
fn lines_end_in_cr_too() {
    let expected = "a,b\n1,x\n2,y\n";
    for csv in ["a,b\r1,x\r2,y\r", "a,b\r1,x\r2,y", "a,b\r\n1,x\r2,y\n", "\ra,b\r\r1,x\n\r2,y\r\n"]
    {
        assert_eq!(plain(csv).1, expected, "{csv:?}");
    }
    assert_eq!(plain("v\r1\r3\r5\r").1, "v\n1\n3\n5\n");
    let (_, text) = through("1,2\r3,4\r5,6\r", CsvOptions::new().header(false)).unwrap();
    assert_eq!(text, "column_1,column_2\n1,2\n3,4\n5,6\n");
    // A large file, of which blocks end between CR and LF.
    let rows = (0..60_000).map(|row| format!("{row},{}\r\n", "x".repeat(row % 7)));
    let csv = format!("a,b\r\n{}", rows.collect::<String>());
    let all = through(&csv, CsvOptions::new()).unwrap().1;
    assert!(all == through(csv.replace("\r\n", "\r"), CsvOptions::new()).unwrap().1);
    assert!(all == csv.replace("\r\n", "\n"));
    let schema = Schema::packed([Field::new("a", DataType::Int8)]).unwrap();
    for csv in ["a\r1\r2\rx\r", "a\r\n1\r2\nx", "a\n1\n2\r\nx\r\n"] {
        let error = CsvReader::new(Input::from_bytes(csv), CsvOptions::new())
            .load(&schema, &mut Vec::new())
            .unwrap_err();
        assert!(error.to_string().contains("line 4: "), "{csv:?}: {error}");
    }
}

/// Finds a null of a single column that the load takes for a blank line.
#[test]
fn a_blank_line_of_a_single_column_is_a_null() {
    let (schema, text) = plain("a\n1\n\n3\n");
    assert_eq!(types(&schema), ["a: int64 nullable at 0"]);
    assert_eq!(text, "a\n1\n\n3\n");
    assert_eq!(plain("a\n\"\"\n\nx\n").1, "a\n\"\"\n\nx\n");
}

/// Finds quoted text that becomes a null.
#[test]
fn null_texts_are_null_only_unquoted() {
    let options = CsvOptions::new().null_text("NA").null_text("-");
    let csv = "a,b\nNA,\"NA\"\n-,x\n,y\n5,z\n";
    let (schema, text) = through(csv, options).unwrap();
    assert_eq!(types(&schema), ["a: int64 nullable at 0", "b: utf8(2) at 9"]);
    assert_eq!(text, "a,b\n,NA\n,x\n,y\n5,z\n");
    let (schema, _) = plain("a\nNA\n5\n");
    assert_eq!(types(&schema), ["a: utf8(2) at 0"], "a column became nullable without a null");
}

/// Finds a header line that is loaded as data, or data that is taken for a header.
#[test]
fn columns_have_the_header_s_names_or_numbers() {
    let numbered = CsvOptions::new().rename_duplicates(true);
    let (schema, _) = through("a,,\"c, d\"\n1,2,3\n", numbered).unwrap();
    let names: Vec<&str> = schema.fields().iter().map(Field::name).collect();
    assert_eq!(names, ["a", "column_2", "c, d"]);
    let (schema, text) = through("1,x\n2,y\n", CsvOptions::new().header(false)).unwrap();
    assert_eq!(text, "column_1,column_2\n1,x\n2,y\n");
    assert_eq!(schema.fields()[0].data_type(), DataType::Int64);
    let (schema, text) = plain("a,b\n");
    assert_eq!(types(&schema), ["a: utf8(1) nullable at 0", "b: utf8(1) nullable at 2"]);
    assert_eq!(text, "a,b\n");
}

/// Finds invalid or repeated column names that reach a schema.
#[test]
fn invalid_headers_are_refused() {
    let options = CsvOptions::new;
    fails("a,b,a\n1,2,3\n", options(), ErrorKind::InvalidValue, &["columns 1 and 3", "\"a\""]);
    let renames = "CsvOptions::rename_duplicates, which calls it column_2";
    for (csv, words) in [
        ("a,,c\n1,2,3\n", &["column 2 has no name (name it, or use ", renames, "column_2)"][..]),
        ("a,\"\",,\n1,2,3,4\n", &["column 2 and 2 more have no name", renames]),
        ("7,,c\n1,2,3\n", &[renames, "if the first row is data, use CsvOptions::header(false)"]),
    ] {
        fails(csv, options(), ErrorKind::InvalidValue, words);
    }
    fails("", options(), ErrorKind::InvalidValue, &["no rows"]);
    fails("\n\n", options(), ErrorKind::InvalidValue, &["no rows"]);
    fails("a,\"b\n1,2\n", options(), ErrorKind::InvalidValue, &["never closed"]);
    fails(b"a,b\xff\n1,2\n", options(), ErrorKind::InvalidValue, &["column 2", "UTF-8"]);
    fails("a,\"b\nc\"\n1,2\n", options(), ErrorKind::InvalidSchema, &["control character"]);
    fails(b"\xff\xfea\0,\0b", options(), ErrorKind::Truncated, &["UTF-16"]);
}

/// Finds an error that names the wrong line, or not the first bad one, when threads parse the
/// blocks.
#[test]
fn the_first_bad_row_is_named_by_line_field_and_value() {
    let schema =
        Schema::packed([Field::new("name", DataType::Utf8(3)), Field::new("n", DataType::Int8)])
            .unwrap();
    let load = |csv: &str| {
        let mut records: Vec<u8> = Vec::new();
        CsvReader::new(Input::from_bytes(csv), CsvOptions::new())
            .load(&schema, &mut records)
            .unwrap_err()
            .to_string()
    };
    let text = load("name,n\n\"a\nb\",1\nc,200\nd,x\n");
    assert!(text.contains("line 4: field n (int8): \"200\""), "{text}");
    let text = load("name,n\nlong text,1\n");
    assert!(text.contains("line 2: field name (utf8(3))"), "{text}");
    let text = load("name,n\na,\n");
    assert!(text.contains("line 2: field n (int8) is empty but not nullable"), "{text}");
    let text = load("name,n\na,1\nb\n");
    assert!(text.contains("line 3: the row has 1 fields instead of 2"), "{text}");
    let text = load("name,n\na,1,2\n");
    assert!(text.contains("line 2: the row has 3 fields instead of 2"), "{text}");
    let text = load("name,n\n\"a\"b,1\n");
    assert!(text.contains("line 2: there is text between a closing quote"), "{text}");
    let text = load("name,n\na,1\n\"b,1\nc,2\n");
    assert!(text.contains("line 3: a quote is never closed"), "{text}");
}

/// Finds a bad row that is lost, or that makes the load lose its neighbours.
#[test]
fn a_load_sets_bad_rows_aside_and_loads_the_others() {
    let csv = b"n,name\n1,a\nx,b\n300,\"c\n\"\"d\"\n4\n5,e\xff\n6,f\r\n7,\"g\n";
    let schema =
        Schema::packed([Field::new("n", DataType::UInt8), Field::new("name", DataType::Utf8(2))])
            .unwrap();
    let mut rejects = RejectWriter::new(Vec::new()).unwrap();
    let mut records: Vec<u8> = Vec::new();
    let report = CsvReader::new(Input::from_bytes(csv), CsvOptions::new())
        .on_reject(|reject| rejects.write(reject))
        .load(&schema, &mut records)
        .unwrap();
    assert_eq!((report.loaded, report.rejected), (2, 5));
    assert_eq!(records, b"\x01a\0\x06f\0");
    let text = rejects.finish().unwrap();
    let lines = String::from_utf8_lossy(&text);
    let expected = [
        "line,column,reason,row",
        "3,n,\"field n (uint8): \"\"x\"\"",
        "4,n,\"field n (uint8): \"\"300\"\"",
        "6,,the row has 1 fields instead of 2,4",
        "7,name,field name: text: invalid utf-8",
        "9,,a quote is never closed,\"7,\"\"g\"\n",
    ];
    for part in expected {
        assert!(lines.contains(part), "{part:?} is not in:\n{lines}");
    }
    assert!(
        lines.contains(",\"300,\"\"c\n\"\"\"\"d\"\"\"\n"),
        "the text of the row is missing in:\n{lines}"
    );
}

/// Finds an inference that a bad row misleads.
#[test]
fn inference_skips_bad_rows_that_are_set_aside() {
    let csv = b"a,b\n1,x\n2\nzzz,\"y\"y\n\xff,x\n3,y\n";
    let error = through(csv, CsvOptions::new()).unwrap_err();
    assert!(error.to_string().contains("line 3: the row has 1 fields"), "{error}");
    let mut rejected = Vec::new();
    let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new()).on_reject(|row| {
        rejected.push(row.line);
        Ok(())
    });
    let inferred = reader.infer(None).unwrap();
    assert_eq!(types(&inferred.schema), ["a: int64 at 0", "b: utf8(1) at 8"]);
    assert_eq!(inferred.rows, 2);
    let mut records: Vec<u8> = Vec::new();
    reader.load(&inferred.schema, &mut records).unwrap();
    drop(reader);
    assert_eq!(rejected, [3, 4, 5]);
}

/// Finds a load that puts a column into the field at its place instead of the field of its name.
#[test]
fn columns_are_loaded_into_the_fields_of_their_names() {
    let schema =
        Schema::packed([Field::new("a", DataType::Int8), Field::new("b", DataType::Utf8(1))])
            .unwrap();
    let load = |csv: &str, options: CsvOptions| {
        let mut records: Vec<u8> = Vec::new();
        let mut reader = CsvReader::new(Input::from_bytes(csv), options);
        reader.load(&schema, &mut records).map(|_| records)
    };
    assert_eq!(load("b,a\nx,1\n", CsvOptions::new()).unwrap(), b"\x01x");
    assert_eq!(load("1,x\n", CsvOptions::new().header(false)).unwrap(), b"\x01x");
    let error = load("a,c\n1,x\n", CsvOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    let error = load("1,x,y\n", CsvOptions::new().header(false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
}

/// Finds a delimiter that the splitter cannot distinguish from a quote, a line end or a part of a
/// character.
#[test]
fn delimiters_are_ascii_characters() {
    for delimiter in [b'"', b'\n', b'\r', 0, 0x80] {
        let error = CsvOptions::new().delimiter(delimiter).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    let options = CsvOptions::new().delimiter(b'\t').unwrap();
    assert_eq!(through("a\tb\n1,5\tx\n", options).unwrap().1, "a,b\n\"1,5\",x\n");
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(text).unwrap();
    gz.finish().unwrap()
}

/// Finds a load that ends at the first member of a gzip file.
#[test]
fn gzip_is_recognised_by_its_first_bytes_and_may_have_several_members() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.csv"); // the name does not say that it is gzip
    let mut bytes = gzipped(b"a,b\n1,x\n2,");
    bytes.extend(gzipped(b"y\n"));
    std::fs::write(&path, &bytes).unwrap();
    let mut last = Progress::default();
    let mut reader =
        CsvReader::new(Input::open(&path).unwrap(), CsvOptions::new()).on_progress(|progress| {
            last = progress;
            Ok(())
        });
    let schema = reader.infer(None).unwrap().schema;
    let mut records: Vec<u8> = Vec::new();
    let report = reader.load(&schema, &mut records).unwrap();
    drop(reader);
    assert_eq!(to_csv(&schema, &records), "a,b\n1,x\n2,y\n");
    assert_eq!(report.read_bytes, bytes.len() as u64);
    assert_eq!(last.total_bytes, Some(bytes.len() as u64));
    assert_eq!((last.done_bytes, last.rows), (bytes.len() as u64, 2));

    let error = through(&bytes[..20], CsvOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
}

/// An input that can be read once, a few bytes at a time.
struct Trickle(std::io::Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = into.len().min(5);
        self.0.read(&mut into[..len])
    }
}

fn stream(bytes: &[u8]) -> Input {
    Input::from_reader("stream", Trickle(std::io::Cursor::new(bytes.to_vec())))
}

/// Finds rows of a stream that a load misses because inference has read them.
#[test]
fn rows_of_a_stream_are_kept_for_the_load_after_inference() {
    let csv = b"a,b\n1,x\n2,y\n3,z\n";
    for bytes in [csv.to_vec(), gzipped(csv)] {
        let mut reader = CsvReader::new(stream(&bytes), CsvOptions::new());
        let error = reader.infer(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(reader.columns().unwrap(), ["a", "b"]);
        let inferred = reader.infer(Some(2)).unwrap();
        assert_eq!(inferred.rows, 2);
        let mut records: Vec<u8> = Vec::new();
        assert_eq!(reader.load(&inferred.schema, &mut records).unwrap().loaded, 3);
        assert_eq!(to_csv(&inferred.schema, &records).as_bytes(), csv);
        let error = reader.load(&inferred.schema, &mut records).unwrap_err();
        assert!(error.to_string().contains("already been read"), "{error}");

        let dir = tempfile::tempdir().unwrap();
        let mut copied = 0;
        let spooled = stream(&bytes).spool(dir.path(), |bytes| copied = bytes).unwrap();
        assert_eq!(copied, bytes.len() as u64);
        assert!(!spooled.is_stream());
        assert_eq!(spooled.total_bytes(), Some(copied));
        let mut reader = CsvReader::new(spooled, CsvOptions::new());
        let schema = reader.infer(None).unwrap().schema;
        let mut records: Vec<u8> = Vec::new();
        reader.load(&schema, &mut records).unwrap();
        assert_eq!(to_csv(&schema, &records).as_bytes(), csv);
        // On Windows the name stays until the file is closed.
        #[cfg(windows)]
        drop(reader);
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "the load left a temporary file"
        );
    }
}

/// Finds an inference that reads more rows than its sample.
#[test]
fn a_sample_reads_the_first_rows_only() {
    let mut reader = CsvReader::new(Input::from_bytes("a\n1\n2\nx\n"), CsvOptions::new());
    let inferred = reader.infer(Some(2)).unwrap();
    assert_eq!((types(&inferred.schema), inferred.rows), (vec!["a: int64 at 0".into()], 2));
    let mut records: Vec<u8> = Vec::new();
    let error = reader.load(&inferred.schema, &mut records).unwrap_err();
    assert!(error.to_string().contains("line 4"), "{error}");
}

/// Finds an error that does not say what to do.
#[test]
fn text_that_fits_no_record_is_refused_with_advice() {
    let long = format!("a,b\n{},1\n", "x".repeat(17 << 20));
    fails(&long, CsvOptions::new(), ErrorKind::InvalidSchema, &["16777216", "or give a schema"]);
    let endless = format!("a,b\n1,x\n2,\"{}", "y\n".repeat(40 << 20));
    fails(&endless, CsvOptions::new(), ErrorKind::InvalidValue, &["byte 8", "never closed"]);
}

/// Makes a table of many blocks. Its quoted line ends do not end rows, so a block cannot end at
/// every line end.
fn large_table(rows: usize) -> String {
    let mut csv = String::from("id,text,value\n");
    for row in 0..rows {
        let end = if row % 3 == 0 { "\r\n" } else { "\n" };
        let text = match row % 5 {
            0 => format!("\"line {row}\n,and \"\"more\"\"\""),
            1 => "\"\"".into(),
            _ => format!("plain {row}"),
        };
        csv.push_str(&format!("{row},{text},{}.5{end}", row * 7));
    }
    csv
}

/// Finds an order or an error that depends on the number of threads.
#[test]
fn the_number_of_threads_changes_neither_records_nor_errors() {
    let mut csv = large_table(60_000);
    let one = through(&csv, CsvOptions::new().threads(1)).unwrap();
    for threads in [2, 5] {
        let many = through(&csv, CsvOptions::new().threads(threads)).unwrap();
        assert_eq!(one, many);
    }
    // A bad row some blocks into the table, named by its exact line.
    let line = csv.matches('\n').count() + 1;
    csv.push_str("60000,x,1.5\nbad,\"x\ny\",1.5\nworse,x,y\n60001,\"z\nz\",2.5\n");
    let schema = &one.0;
    for threads in [1, 2, 5] {
        let options = CsvOptions::new().threads(threads);
        let mut records: Vec<u8> = Vec::new();
        let error = CsvReader::new(Input::from_bytes(&csv), options.clone())
            .load(schema, &mut records)
            .unwrap_err();
        assert!(error.to_string().contains(&format!("line {}: ", line + 1)), "{error}");

        let mut lines = Vec::new();
        let mut records: Vec<u8> = Vec::new();
        let report = CsvReader::new(Input::from_bytes(&csv), options)
            .on_reject(|reject| {
                lines.push(reject.line);
                Ok(())
            })
            .load(schema, &mut records)
            .unwrap();
        assert_eq!(lines, [line as u64 + 1, line as u64 + 3]);
        assert_eq!((report.loaded, report.rejected), (60_002, 2));
    }
}

/// Finds a load that continues or hangs after its sink failed.
#[test]
fn an_error_of_the_sink_ends_the_load() {
    struct Full;
    impl flatrec::exchange::RecordSink for Full {
        fn append_records(&mut self, _: &[u8]) -> Result<()> {
            DynStore::open("no-such-store.rec").map(drop)
        }
    }
    let schema = through(large_table(10), CsvOptions::new()).unwrap().0;
    for threads in [1, 3] {
        let options = CsvOptions::new().threads(threads);
        let error = CsvReader::new(Input::from_bytes(large_table(50_000)), options)
            .load(&schema, &mut Full)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

/// Finds a read error without the path.
#[test]
fn errors_name_files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let error = Input::open(dir.path()).err().unwrap();
    assert!(error.to_string().contains("directory"), "{error}");
    let error = Input::open(dir.path().join("nothing.csv")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.file_path(), Some(&*dir.path().join("nothing.csv")));
}

/// Finds a byte of the real table in data/ that a load and an export change. Only its word for null
/// may differ.
#[test]
fn the_flights_survive_a_load_and_an_export() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013-01.csv");
    let csv = std::fs::read_to_string(path).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store_path = dir.path().join("flights.rec");
    let input = Input::open(path).unwrap();
    let mut reader = CsvReader::new(input, CsvOptions::new().null_text("NA"));
    let schema = reader.infer(None).unwrap().schema;
    let mut store = DynStore::create(&store_path, &schema).unwrap();
    let report = reader.load(&schema, &mut store).unwrap();
    store.close().unwrap();

    let nulls = csv.split([',', '\n']).filter(|field| *field == "NA").count() as u64;
    assert_eq!((report.loaded, report.rejected, report.nulls), (27_004, 0, nulls));
    let store = DynStore::open_read_only(&store_path).unwrap();
    let mut out = CsvWriter::new(Vec::new(), store.schema().fields(), b',');
    out.header().unwrap();
    for (_, record) in &store {
        out.write(record).unwrap();
    }
    let written = String::from_utf8(out.finish().unwrap()).unwrap();
    let expected: String = csv
        .lines()
        .map(|line| {
            let fields = line.split(',').map(|field| if field == "NA" { "" } else { field });
            fields.collect::<Vec<_>>().join(",") + "\n"
        })
        .collect();
    assert!(written == expected, "the tables differ");
}

/// Finds a table of R or of spaces that is loaded as one column of text, or refused without a word
/// of advice, and a table that is refused although it is neither.
#[test]
fn tables_divided_otherwise_are_refused_with_advice() {
    let detects = || CsvOptions::new().detect_delimiter(true);
    for (csv, words) in [
        ("a,b\nx,1,2\ny,3,4\n", &["it has 2 names, and the rows have 3 fields", "skip_lines"][..]),
        ("a\tb\nx\t1\t2\ny\t3\t4\n", &["it has 2 names, and the rows have 3 fields"]),
        ("a\n1,2\n3,4\n", &["it has 1 name, and the rows have 2 fields"]),
        ("\"a\" \"b\"\n\"x\" 1 2\n", &["if spaces divide it, use CsvOptions::delimiter)"]),
        ("a b\n1 x\n2 y\n", &["look like 2 columns that spaces divide (use CsvOptions::delim"]),
        ("a  b c\n\n1  x y\r\n", &["look like 3 columns", "awk '{$1=$1};1'"]),
        ("a b\n 1 x\n", &["look like 2 columns", "awk '{$1=$1};1'"]),
        ("a b\r\n1 x \r\n", &["look like 2 columns", "awk '{$1=$1};1'"]),
    ] {
        fails(csv, detects(), ErrorKind::InvalidValue, words);
    }
    // Not every row has one field more, no column of words is a number, or the delimiter is given.
    fails("a,b\nx,1,2\n3,4\n", detects(), ErrorKind::InvalidValue, &["line 2: the row has 3"]);
    for csv in
        ["full name\nAda Lovelace\nAlan Turing\n", "a b\n1 x\n2\n", "a b\n", "a 1\nb 2\nc d\n"]
    {
        // The name is quoted, so that a load does not ask.
        let quoted = csv.replacen('\n', "\"\n", 1);
        assert_eq!(through(csv, detects()).unwrap().1, format!("\"{quoted}"));
    }
    let given = CsvOptions::new().delimiter(b',').unwrap();
    let written = through("a b\n1 x\n", given).unwrap().1;
    assert_eq!(written, "\"a b\"\n1 x\n");
    assert_eq!(through(&written, detects()).unwrap().1, written);
    let no_header = detects().header(false);
    fails("1 2\n3 4\n", no_header.clone(), ErrorKind::InvalidValue, &["look like 2 columns"]);
    assert!(through("a,b\nx,1,2\n", no_header.delimiter(b'|').unwrap()).is_ok());
}

/// Finds a long text that makes a store of gigabytes without a word, or a table that is refused
/// although its store is no larger than others.
#[test]
fn a_text_that_blows_the_store_up_is_named_before_it_is_written() {
    let table = |rows: usize, long: usize, at: usize| {
        let row = |row| match row == at {
            true => format!("{row},\"{}\n\",x\n", "y".repeat(long - 1)),
            false => format!("{row},\"a\nb\",x\n"),
        };
        format!("id,note,z\n{}", (0..rows).map(row).collect::<String>())
    };
    // In the first block and in a later one.
    for (rows, long, at) in [(3000, 60_000, 15), (50_000, 20_000, 45_000)] {
        let csv = table(rows, long, at);
        let line = 2 * at + 2;
        let record = 8 + long + 1;
        let facts = format!(
            "the longest text of column \"note\" has {long} bytes, on line {line}, so {rows} \
             records of {record} bytes would take {} bytes, for {} bytes of text",
            rows * record,
            csv.len()
        );
        fails(&csv, CsvOptions::new(), ErrorKind::InvalidSchema, &[&facts, "smaller width"]);
        let mut reader = CsvReader::new(Input::from_bytes(&csv), CsvOptions::new());
        assert!(reader.infer(Some(10)).is_ok());
        // Widths that the caller chooses are not refused, whatever they take.
        let width = u32::try_from(long).unwrap();
        for options in [
            CsvOptions::new().text_width_of("note", width),
            CsvOptions::new().text_width_of("note", 64),
            CsvOptions::new().text_width(width),
        ] {
            let mut reader = CsvReader::new(Input::from_bytes(&csv), options);
            assert_eq!(reader.infer(None).unwrap().rows, rows as u64);
        }
    }
    // 16 MiB, and sixteen bytes for each.
    assert!(through(table(500, 30_000, 15), CsvOptions::new()).is_ok());
    assert!(through(table(100_000, 200, 15), CsvOptions::new()).is_ok());
}
