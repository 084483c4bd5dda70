//! Arrow and Parquet, in and out. pyarrow and DuckDB read what was exported, and write what is
//! loaded.
#![cfg(all(feature = "parquet", target_endian = "little"))]

mod decimals;
mod row_groups;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema};
use flatrec::exchange::{
    ExportFormat, Exporter, Input, InputFormat, LoadPoint, LoadReport, NdjsonWriter, RecordBatches,
    TableReader,
};
use flatrec::{DataType, DisplayHint, DynStore, ErrorKind, Field, Schema, TimeUnit, Variant};

use crate::support::packed::Packer;
use crate::support::point_sink::PointSink;
use crate::support::skip::skip;

/// Every format: the ending, and how it is exported.
const FORMATS: [(&str, ExportFormat, InputFormat); 3] = [
    ("arrow", ExportFormat::Arrow, InputFormat::Arrow),
    ("arrows", ExportFormat::ArrowStream, InputFormat::Arrow),
    ("parquet", ExportFormat::Parquet, InputFormat::Parquet),
];

/// The values of two records of every type; an empty text is null.
const ROWS_OF_EVERY_TYPE: [[&str; 23]; 2] = [
    [
        "true",
        "-128",
        "-2",
        "2147483647",
        "-9223372036854775808",
        "255",
        "65535",
        "4294967295",
        "18446744073709551615",
        "-170141183460469231731687303715884105728",
        "0.1",
        "-inf",
        "2013-01-31",
        "2013-01-31T05:00:00",
        "1969-12-31T23:59:59.250Z",
        "2013-01-31T05:00:00.000001",
        "2013-01-31T05:00:00.000000001Z",
        "-PT1.5S",
        "\"Łódź\"",
        "00ff",
        "[1,-2,3]",
        "[[1,2],[3,4.5]]",
        "[\"a\",\"bcde\"]",
    ],
    [
        "",
        "0",
        "1",
        "",
        "0",
        "0",
        "0",
        "0",
        "0",
        "",
        "nan",
        "",
        "",
        "1970-01-01",
        "",
        "1970-01-01",
        "1970-01-01",
        "PT0S",
        "",
        "",
        "",
        "[[0,0],[0,0]]",
        "[\"\",\"\"]",
    ],
];

fn every_type() -> (Schema, Vec<u8>) {
    let schema = Schema::packed([
        Field::new("flag", DataType::Bool).nullable(),
        Field::new("i8", DataType::Int8),
        Field::new("i16", DataType::Int16).big_endian(),
        Field::new("i32", DataType::Int32).nullable(),
        Field::new("i64", DataType::Int64).with_scale(2),
        Field::new("u8", DataType::UInt8),
        Field::new("u16", DataType::UInt16),
        Field::new("u32", DataType::UInt32),
        Field::new("u64", DataType::UInt64),
        Field::new("wide", DataType::Int128).nullable(),
        Field::new("f32", DataType::Float32),
        Field::new("f64", DataType::Float64).nullable(),
        Field::new("day", DataType::Date32).nullable(),
        Field::new("s", DataType::Timestamp(TimeUnit::Second)),
        Field::new("ms", DataType::Timestamp(TimeUnit::Millisecond)).utc().nullable(),
        Field::new("us", DataType::Timestamp(TimeUnit::Microsecond)),
        Field::new("ns", DataType::Timestamp(TimeUnit::Nanosecond)).utc(),
        Field::new("took", DataType::Duration(TimeUnit::Millisecond)),
        Field::new("text", DataType::Utf8(12)).nullable(),
        Field::new("bytes", DataType::Binary(2)).nullable(),
        Field::new("axes", DataType::Int16).array(3).nullable(),
        Field::new("grid", DataType::Float64).with_shape([2, 2]),
        Field::new("names", DataType::Utf8(4)).array(2),
    ])
    .unwrap();
    let mut records = Vec::new();
    for row in ROWS_OF_EVERY_TYPE {
        let mut record = vec![0; schema.record_size() as usize];
        for (field, text) in schema.fields().iter().zip(row).filter(|(_, text)| !text.is_empty()) {
            let rounded = field.parse_text_rounded(text, &mut record);
            assert!(!rounded.unwrap(), "{field}: {text}");
        }
        records.extend(record);
    }
    (schema, records)
}

fn store_of(schema: &Schema, records: &[u8]) -> DynStore {
    let mut store = DynStore::temporary(schema).unwrap();
    store.append_packed(records).unwrap();
    store
}

fn export(store: &DynStore, format: ExportFormat, path: &Path) {
    Exporter::new(store.schema(), format).export(store.iter(), path).unwrap();
}

fn reader(path: &Path) -> TableReader<'static> {
    TableReader::new(Input::open(path).unwrap(), InputFormat::from_path(path)).unwrap()
}

fn ndjson(schema: &Schema, records: &[u8]) -> String {
    let mut writer = NdjsonWriter::new(Vec::new(), schema.fields());
    for record in records.chunks_exact(schema.record_size() as usize) {
        writer.write(record).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// Finds a type, a null, a unit, a zone or a value that does not survive both ways.
#[test]
fn an_export_comes_back() {
    let (schema, records) = every_type();
    let dir = tempfile::tempdir().unwrap();
    for (ending, format, input_format) in FORMATS {
        let path = dir.path().join(format!("every.{ending}"));
        assert_eq!(ExportFormat::from_path(&path).unwrap(), format);
        assert_eq!(InputFormat::from_path(&path), input_format);
        export(&store_of(&schema, &records), format, &path);
        let mut back: Vec<u8> = Vec::new();
        let report = reader(&path).load(&schema, &mut back).unwrap();
        assert_eq!((report.loaded, report.nulls), (2, 9), "{ending}");
        assert_eq!(ndjson(&schema, &back), ndjson(&schema, &records), "{ending}");
        assert!(back == records, "{ending}");

        let inferred = reader(&path).infer(None).unwrap();
        assert_eq!(inferred.rows, 2);
        let shown = |schema: &Schema| -> Vec<String> {
            let fields = schema.fields().iter();
            fields.map(|it| it.to_string().replace(" big-endian", "")).collect()
        };
        let mut expected = shown(&schema);
        if ending == "parquet" {
            // It has no seconds.
            let seconds = expected.iter_mut().find(|it| it.starts_with("s: ")).unwrap();
            *seconds = seconds.replace("(s)", "(ms)");
        }
        assert_eq!(shown(&inferred.schema), expected, "{ending}");
        assert_eq!(inferred.schema.field("i64").unwrap().scale(), Some(2), "{ending}");
        assert_eq!(inferred.schema.field("grid").unwrap().shape(), [2, 2], "{ending}");
    }
}

/// Finds an annotation that an export loses, or one that a load believes where it cannot be true.
#[test]
fn annotations_come_back() {
    let sides = [Variant::new(1, "Buy, or \"bid\""), Variant::new(u64::MAX, "Sell=2")];
    let schema = Schema::packed([
        Field::new("side", DataType::UInt64).with_variants(sides),
        Field::new("id", DataType::Binary(16)).with_display(DisplayHint::Uuid),
        Field::new("address", DataType::Binary(4)).with_display(DisplayHint::Ipv4),
        Field::new("letters", DataType::UInt32).with_display(DisplayHint::Char).array(2),
        Field::new("cents", DataType::Int64).with_scale(2),
        Field::new("grid", DataType::Int8).with_shape([2, 3]),
    ])
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let records = vec![0; schema.record_size() as usize];
    for (ending, format, _) in FORMATS {
        let path = dir.path().join(format!("noted.{ending}"));
        export(&store_of(&schema, &records), format, &path);
        assert_eq!(reader(&path).infer(None).unwrap().schema, schema, "{ending}");
    }

    // The words of another program, which mean something else there.
    let strange = [("display", "char"), ("variants", "many"), ("scale", "large"), ("shape", "[7]")];
    let strange = strange.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let column = ArrowField::new("x", ArrowType::Int8, false).with_metadata(strange.into());
    let schema = Arc::new(ArrowSchema::new(vec![column]));
    let path = dir.path().join("strange.arrow");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &schema).unwrap();
    writer.write(&RecordBatch::new_empty(schema)).unwrap();
    writer.finish().unwrap();
    let expected = Schema::packed([Field::new("x", DataType::Int8)]).unwrap();
    assert_eq!(reader(&path).infer(None).unwrap().schema, expected);
}

/// Finds an empty or a short file, or rows at the end of a batch or a row group, that are lost.
#[test]
fn any_number_of_rows_comes_back() {
    let schema = Schema::packed([
        Field::new("n", DataType::UInt32),
        Field::new("text", DataType::Utf8(7)).nullable(),
    ])
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    for rows in [0u32, 1, 8191, 8192, 8193, 300_000] {
        let mut records = Vec::new();
        for n in 0..rows {
            records.extend(n.to_le_bytes());
            let text = format!("\u{1}{n}");
            let text = if n % 3 == 0 { "" } else { &text };
            records.extend(format!("{text:\0<8}").as_bytes());
        }
        let store = store_of(&schema, &records);
        for (ending, format, _) in FORMATS {
            let path = dir.path().join(format!("rows{rows}.{ending}"));
            export(&store, format, &path);
            for threads in [1, 3] {
                let mut back: Vec<u8> = Vec::new();
                let report = reader(&path).threads(threads).load(&schema, &mut back).unwrap();
                assert_eq!(report.loaded, u64::from(rows), "{ending}");
                assert!(back == records, "{rows} {ending}");
            }
            assert_eq!(reader(&path).infer(None).unwrap().schema, schema, "{rows} {ending}");
        }
        let batches: Vec<_> =
            RecordBatches::new(schema.fields(), store.iter()).map(|it| it.unwrap()).collect();
        assert_eq!(batches.iter().map(|it| it.num_rows()).sum::<usize>(), rows as usize);
        assert_eq!(batches.len(), rows.div_ceil(8192) as usize);
    }
}

/// Finds a file of Arrow that is refused because it is compressed as a whole, or one that is cut
/// and loaded.
#[test]
fn a_compressed_file_of_arrow_is_read() {
    let (schema, records) = every_type();
    let dir = tempfile::tempdir().unwrap();
    for (ending, format, _) in &FORMATS[..2] {
        let path = dir.path().join(format!("every.{ending}"));
        export(&store_of(&schema, &records), *format, &path);
        let plain = std::fs::read(&path).unwrap();
        for packer in Packer::ALL {
            let packed = packer.pack(&plain);
            let mut back: Vec<u8> = Vec::new();
            let input = Input::from_bytes(&packed);
            let mut reader = TableReader::new(input, InputFormat::Arrow).unwrap();
            assert_eq!(reader.infer(None).unwrap().rows, 2);
            reader.load(&schema, &mut back).unwrap();
            assert!(back == records, "{ending} {packer:?}");
            // Without the checksum at its end.
            let input = Input::from_bytes(&packed[..packed.len() - 4]);
            let mut reader = TableReader::new(input, InputFormat::Arrow).unwrap();
            assert!(reader.load(&schema, &mut Vec::new()).is_err(), "{ending} {packer:?}");
        }
    }
}

/// Finds a row that a resumed load loses or loads twice.
#[test]
fn a_load_resumes_from_every_point_with_the_same_result() {
    let schema = Schema::packed([Field::new("n", DataType::UInt32)]).unwrap();
    let records: Vec<u8> = (0..30_000u32).flat_map(u32::to_le_bytes).collect();
    let dir = tempfile::tempdir().unwrap();
    for (ending, format, _) in FORMATS {
        let path = dir.path().join(format!("n.{ending}"));
        export(&store_of(&schema, &records), format, &path);
        let load = |from: &LoadPoint| -> (PointSink, LoadReport) {
            let mut sink = PointSink::default();
            let report = reader(&path).load_from(&schema, &mut sink, from).unwrap();
            (sink, report)
        };
        let (all, report) = load(&LoadPoint::default());
        assert!(all.points.len() > 3, "too few points");
        for (done_bytes, point) in &all.points {
            let (rest, rest_report) = load(point);
            assert!(rest.bytes == all.bytes[*done_bytes..], "{ending} after {point:?}");
            assert_eq!(rest_report.loaded, report.loaded, "{ending} after {point:?}");
        }
    }
}

/// Finds a text that is cut, and a value that is changed to fit.
#[test]
fn values_that_do_not_fit_are_bad_rows() {
    let from = Schema::packed([
        Field::new("n", DataType::Int32).nullable(),
        Field::new("text", DataType::Utf8(9)),
    ])
    .unwrap();
    let mut records = Vec::new();
    for (n, text) in [("7", "abc"), ("300", "abc"), ("8", "abcd"), ("", "ü"), ("9", "")] {
        let mut record = vec![0; from.record_size() as usize];
        if !n.is_empty() {
            from.fields()[0].parse_text(n, &mut record).unwrap();
        }
        from.fields()[1].parse_text(text, &mut record).unwrap();
        records.extend(record);
    }
    let to =
        Schema::packed([Field::new("text", DataType::Utf8(3)), Field::new("n", DataType::UInt8)])
            .unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (ending, format, _) in FORMATS {
        let path = dir.path().join(format!("bad.{ending}"));
        export(&store_of(&from, &records), format, &path);
        let mut rejects = Vec::new();
        let mut back: Vec<u8> = Vec::new();
        let report = reader(&path)
            .on_reject(|reject| {
                let row = String::from_utf8(reject.row.to_vec()).unwrap();
                rejects.push((reject.line, reject.column.unwrap_or_default().to_owned(), row));
                Ok(())
            })
            .load(&to, &mut back)
            .unwrap();
        assert_eq!((report.loaded, report.rejected), (2, 3), "{ending}: {rejects:?}");
        assert_eq!(ndjson(&to, &back), "{\"text\":\"abc\",\"n\":7}\n{\"text\":\"\",\"n\":9}\n");
        let expected = [(2, "n", "300,abc"), (3, "text", "8,abcd"), (4, "n", ",ü")];
        for ((line, column, row), found) in expected.iter().zip(&rejects) {
            assert_eq!((found.0, &*found.1, &*found.2), (*line, *column, *row), "{ending}");
        }
    }
}

/// Finds a damaged file that is loaded, or that ends the program.
#[test]
fn damaged_files_are_errors() {
    let (schema, records) = every_type();
    let dir = tempfile::tempdir().unwrap();
    for (ending, format, input_format) in FORMATS {
        let path = dir.path().join(format!("every.{ending}"));
        export(&store_of(&schema, &records), format, &path);
        let bytes = std::fs::read(&path).unwrap();
        for len in [0, 3, 8, bytes.len() / 2, bytes.len() - 9] {
            let input = Input::from_bytes(&bytes[..len]);
            let mut reader = TableReader::new(input, input_format).unwrap();
            let error = match reader.load(&schema, &mut Vec::new()) {
                Ok(report) => {
                    // A stream may end without its mark.
                    assert!(ending == "arrows" && report.loaded <= 2, "{ending}, {len} bytes");
                    continue;
                }
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::InvalidValue, "{ending}: {error}");
            assert!(error.to_string().contains("memory"), "{ending}: {error}");
        }
    }
}

/// A Python that has pyarrow and DuckDB.
fn python() -> Option<String> {
    let named = std::env::var("FLATREC_PYTHON").ok();
    for candidate in named.iter().map(String::as_str).chain(["python3", "python"]) {
        let found = Command::new(candidate).args(["-c", "import duckdb, pyarrow.parquet"]).output();
        if found.is_ok_and(|output| output.status.success()) {
            return Some(candidate.to_owned());
        }
    }
    skip!("no python3 with pyarrow and duckdb: python3 -m pip install pyarrow duckdb");
    None
}

fn run(python: &str, program: &str, folder: &Path) -> String {
    let output = Command::new(python).args(["-c", program]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Finds an export that pyarrow or DuckDB reads otherwise.
#[test]
fn pyarrow_and_duckdb_read_an_export() {
    const SCRIPT: &str = r#"
import datetime, decimal, os, sys
import pyarrow as pa, pyarrow.feather, pyarrow.ipc, pyarrow.parquet
folder = sys.argv[1]
at = lambda ending: os.path.join(folder, "every." + ending)
tables = [pa.ipc.open_file(at("arrow")).read_all(), pa.ipc.open_stream(at("arrows")).read_all(),
          pa.parquet.read_table(at("parquet"))]
schema = eval(open(os.path.join(folder, "schema.py")).read())
for table in tables:
    table.validate(full=True)
    for field, printed in zip(table.schema, schema, strict=True):
        assert field.name == printed.name and field.nullable == printed.nullable, (field, printed)
        # Parquet has neither seconds nor names of elements as Arrow has them.
        same = field.type == printed.type or str(field.type).replace("[ms]", "[s]") == str(
            printed.type) or pa.types.is_fixed_size_list(field.type)
        assert same, (field, printed)
    assert table["ns"].cast(pa.int64())[0].as_py() % 1000 == 1
    first, second = table.drop_columns("ns").to_pylist()
    assert first["wide"] == decimal.Decimal(-2**127) and second["wide"] is None
    assert first["u64"] == 2**64 - 1 and first["i64"] == -2**63
    assert first["text"] == '"Łódź"' and second["text"] is None
    assert first["bytes"] == b"\x00\xff" and first["axes"] == [1, -2, 3] and second["axes"] is None
    assert first["grid"] == [1, 2, 3, 4.5] and first["names"] == ["a", "bcde"]
    assert first["day"] == datetime.date(2013, 1, 31) and first["flag"] is True
    assert first["ms"] == datetime.datetime(1969, 12, 31, 23, 59, 59, 250000, datetime.timezone.utc)
import duckdb
row = duckdb.sql(f"select i32, text, u16, day, us, names from '{at('parquet')}'").fetchall()[0]
assert row == (2**31 - 1, '"Łódź"', 65535, datetime.date(2013, 1, 31),
               datetime.datetime(2013, 1, 31, 5, 0, 0, 1), ["a", "bcde"]), row
"#;
    let Some(python) = python() else { return };
    let (schema, records) = every_type();
    let dir = tempfile::tempdir().unwrap();
    for (ending, format, _) in FORMATS {
        let path = dir.path().join(format!("every.{ending}"));
        export(&store_of(&schema, &records), format, &path);
    }
    let printed = flatrec::exchange::schema_to_arrow(&schema);
    std::fs::write(dir.path().join("schema.py"), printed).unwrap();
    run(&python, SCRIPT, dir.path());
}

/// Writes a table in several ways, and columns that are refused.
const TABLES: &str = r#"
import datetime, decimal, os, sys
import pyarrow as pa, pyarrow.feather, pyarrow.ipc, pyarrow.parquet
folder = sys.argv[1]
at = lambda name: os.path.join(folder, name)
D = decimal.Decimal
utc = datetime.datetime(2013, 1, 31, 5, tzinfo=datetime.timezone.utc)
table = pa.table({
    "n": pa.array([1, None, 3], pa.int16()),
    "half": pa.array([0.5, 1.5, -2.0], pa.float16()),
    "text": pa.array(["a", None, "Łódź"], pa.large_string()),
    "kind": pa.array(["x", "yy", None]).dictionary_encode(),
    "price": pa.array([D("1.50"), D("-0.07"), None], pa.decimal128(9, 2)),
    "big": pa.array([D("12345678901234567890.5"), D("0.1"), D("0.2")], pa.decimal128(38, 1)),
    "at": pa.array([utc, utc, None], pa.timestamp("us", "Europe/Warsaw")),
    "day": pa.array([datetime.date(2013, 1, 31)] * 3, pa.date64()),
    "time": pa.array([datetime.time(1, 2, 3)] * 3, pa.time32("ms")),
    "hash": pa.array([b"ab", b"cd", None], pa.binary()),
    "v": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
    "point": pa.array([{"x": 0.5, "to": {"y": 1}}, None, {"x": 2.5, "to": None}]),
})
pa.parquet.write_table(table, at("t.parquet"), row_group_size=2)
pa.parquet.write_table(table, at("v1.parquet"), compression="gzip", version="1.0",
                       data_page_version="2.0", use_dictionary=False)
for codec in ["snappy", "lz4", "zstd", "gzip", "none", "brotli"]:
    pa.parquet.write_table(table, at(codec + ".parquet"), compression=codec, row_group_size=1)
pa.feather.write_feather(table, at("t.feather"), compression="zstd")
pa.feather.write_feather(table, at("lz4.feather"), compression="lz4")
with pa.ipc.new_stream(at("t.arrows"), table.schema) as out:
    out.write_table(table, max_chunksize=2)
for name, column in [
    ("list", pa.array([[1], [1, 2]])),
    ("map", pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8()))),
    ("month", pa.array([None], pa.month_day_nano_interval()))]:
    pa.feather.write_feather(pa.table({name: column}), at(name + ".arrow"), compression="lz4")
pa.parquet.write_table(pa.table({"list": pa.array([[1], [1, 2]])}), at("list.parquet"))
"#;
/// The fields of that table.
const FIELDS: &str = "n: int16 nullable at 0\nhalf: float32 at 3\ntext: utf8(7) nullable at 7\n\
        kind: utf8(2) nullable at 15\nprice: int32 nullable at 18\nbig: int128 at 23\n\
        at: timestamp(us) nullable utc at 39\nday: date32 at 48\ntime: duration(ms) at 52\n\
        hash: binary(2) nullable at 60\nv: int8[2] nullable at 63\n\
        point.x: float64 nullable at 66\npoint.to.y: int64 nullable at 75";
/// Its rows.
const ROWS: &str = concat!(
    "{\"n\":1,\"half\":0.5,\"text\":\"a\",\"kind\":\"x\",\"price\":150,",
    "\"big\":123456789012345678905,\"at\":\"2013-01-31T05:00:00Z\",",
    "\"day\":\"2013-01-31\",\"time\":\"PT3723S\",\"hash\":\"6162\",\"v\":[1,2],",
    "\"point.x\":0.5,\"point.to.y\":1}\n",
    "{\"n\":null,\"half\":1.5,\"text\":null,\"kind\":\"yy\",\"price\":-7,\"big\":1,",
    "\"at\":\"2013-01-31T05:00:00Z\",\"day\":\"2013-01-31\",\"time\":\"PT3723S\",",
    "\"hash\":\"6364\",\"v\":null,\"point.x\":null,\"point.to.y\":null}\n",
    "{\"n\":3,\"half\":-2.0,\"text\":\"Łódź\",\"kind\":null,\"price\":null,\"big\":2,",
    "\"at\":null,",
    "\"day\":\"2013-01-31\",\"time\":\"PT3723S\",\"hash\":null,\"v\":[3,4],\"point.x\":2.5,",
    "\"point.to.y\":null}\n",
);

/// Finds a type of pyarrow that becomes another value, or is refused without a word of advice.
#[test]
fn what_pyarrow_writes_is_loaded() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    run(&python, TABLES, dir.path());
    let codecs = ["snappy.parquet", "lz4.parquet", "zstd.parquet", "gzip.parquet", "none.parquet"];
    let others = ["t.parquet", "v1.parquet", "t.feather", "lz4.feather", "t.arrows"];
    for name in codecs.into_iter().chain(others) {
        let mut reader = reader(&dir.path().join(name));
        let inferred = reader.infer(None).unwrap();
        let shown: Vec<String> = inferred.schema.fields().iter().map(Field::to_string).collect();
        assert_eq!(shown.join("\n"), FIELDS, "{name}");
        assert_eq!(inferred.schema.field("price").unwrap().scale(), Some(2), "{name}");
        let mut records: Vec<u8> = Vec::new();
        let report = reader.load(&inferred.schema, &mut records).unwrap();
        assert_eq!((report.loaded, report.nulls), (3, 10), "{name}");
        assert_eq!(ndjson(&inferred.schema, &records), ROWS, "{name}");
    }
    let error = reader(&dir.path().join("brotli.parquet")).infer(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("columns are compressed by BROTLI"), "{error}");
    for name in ["list.arrow", "map.arrow", "month.arrow", "list.parquet"] {
        let error = reader(&dir.path().join(name)).infer(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let column = name.split('.').next().unwrap();
        assert!(error.to_string().contains(&format!("column \"{column}\": ")), "{error}");
        assert!(error.to_string().contains("leave the column out"), "{error}");
    }
}
