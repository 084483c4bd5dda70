//! Arrays of numpy as input: numpy writes them, and what is loaded is compared with what numpy
//! reads.
#![cfg(feature = "exchange")]

use std::path::Path;
use std::process::Command;

use flatrec::exchange::{
    ExportFormat, Exporter, Input, InputFormat, LoadPoint, LoadReport, NdjsonWriter, TableReader,
};
use flatrec::{DataType, DynStore, ErrorKind, Field, Schema, TimeUnit};

use crate::numpy::python;
use crate::support::fields::with_gaps;
use crate::support::point_sink::PointSink;

/// Makes arrays of every type, and prints for each the name of its file, a NUL, the fields that its
/// store must have, a NUL, and its rows as NDJSON; each array ends with another NUL.
const ARRAYS: &str = r#"
import json, os, sys
import numpy as np

folder = sys.argv[1]

def text_of(value, unit):
    return None if np.isnat(value) else str(value)

def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, np.void):
        return bytes(value).hex()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.timedelta64):
        return None if np.isnat(value) else "PT%dS" % (value / np.timedelta64(1, "s"))
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"nan": "NaN", "inf": "inf", "-inf": "-inf"}[str(value)]
    return value

def tell(name, fields, rows):
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows]
    lines = "".join(lines)
    sys.stdout.write(f"{name}\0{fields}\0{lines}\0")

def save(name, array, fields, rows=None):
    np.save(os.path.join(folder, name + ".npy"), array)
    if rows is None:
        rows = [{"value": plain(value)} for value in array]
    tell(name + ".npy", fields, rows)

sys.stdout.reconfigure(encoding="utf-8", newline="")
for code, name in [("i1", "int8"), ("i2", "int16"), ("i4", "int32"), ("i8", "int64"),
                   ("u1", "uint8"), ("u2", "uint16"), ("u4", "uint32"), ("u8", "uint64")]:
    info = np.iinfo(code)
    for order in "<>":
        array = np.array([info.min, 0, 1, info.max], dtype=order + code)
        save(f"{'little' if order == '<' else 'big'}_{code}", array, f"value: {name} at 0")
for code, name in [("f4", "float32"), ("f8", "float64")]:
    for order in "<>":
        array = np.array([0.5, -0.25, np.nan, np.inf, -np.inf, 3], dtype=order + code)
        save(f"{order == '<'}_{code}", array, f"value: {name} at 0")
halves = np.array([0.5, -2, np.nan, np.inf, 0.1, 65504], dtype="<f2")
rows = [{"value": plain(half)} for half in halves.astype("f4")]
rows[4]["value"] = float(str(halves.astype("f4")[4]))
save("half", halves, "value: float32 at 0", rows)
save("half_big", halves.astype(">f2"), "value: float32 at 0", rows)
save("bools", np.array([True, False]), "value: bool at 0")
save("bytes", np.array([b"a", b"", "ü".encode()], dtype="S4"), "value: utf8(4) at 0")
for order in "<>":
    texts = np.array(["Łódź", "", "😀"], dtype=order + "U7")
    save(f"text{order == '<'}", texts, "value: utf8(7) at 0")
save("void", np.array([b"abc", b"\0\0\1"], dtype="V3"), "value: binary(3) at 0")
for order in "<>":
    days = np.array(["2013-01-31", "1950-05-06"], dtype=order + "M8[D]")
    save(f"days{order == '<'}", days, "value: date32 at 0")
save("days_nat", np.array(["2013-01-31", "NaT"], dtype="M8[D]"), "value: date32 nullable at 0")
for unit, digits in [("s", ""), ("ms", ".250"), ("us", ".250000"), ("ns", ".250000000")]:
    times = ["2013-01-31T05:06:07" + digits, "1969-12-31T23:59:59" + digits]
    times = np.array(times, f"M8[{unit}]")
    save(f"times_{unit}", times, f"value: timestamp({unit}) at 0")
    save(f"times_{unit}_big", times.astype(f">M8[{unit}]"), f"value: timestamp({unit}) at 0")
times = np.array(["NaT", "2013-01-31T05:06:07"], "M8[s]")
save("times_nat", times, "value: timestamp(s) nullable at 0")
spans = np.array([-90, "NaT", 3], dtype="m8[s]")
rows = [{"value": v} for v in ["-PT90S", None, "PT3S"]]
save("spans", spans, "value: duration(s) nullable at 0", rows)
grid = np.arange(24, dtype="i4").reshape(4, 6)
save("grid", grid, "value: int32[6] at 0")
save("grid_fortran", np.asfortranarray(grid), "value: int32[6] at 0")
cube = np.arange(60, dtype=">i2").reshape(5, 3, 4)
save("cube", cube, "value: int16[12] at 0")
save("cube_fortran", np.asfortranarray(cube), "value: int16[12] at 0")
save("empty", np.zeros(0, dtype="i4"), "value: int32 at 0")
save("one", np.array([7], dtype="u1"), "value: uint8 at 0")

def flat(record, names, prefix=""):
    row = {}
    for name in names:
        value = record[name]
        if isinstance(value, np.void) and value.dtype.names:
            row.update(flat(value, value.dtype.names, prefix + name + "."))
        else:
            row[prefix + name] = plain(value)
    return row

inner = np.dtype([("x", ">f4"), ("label", "S3")])
dtype = np.dtype({
    "names": ["id", "point", "axes", "day", "ü"],
    "formats": ["<u2", inner, (">i2", (2, 3)), "M8[D]", "U2"],
    "offsets": [0, 4, 12, 24, 32], "itemsize": 48, "titles": ["The id", None, None, None, None]})
records = np.zeros(3, dtype=dtype)
for n, record in enumerate(records):
    record["id"] = n
    record["point"] = (n / 2, b"p%d" % n)
    record["axes"] = np.arange(6).reshape(2, 3) - n
    record["day"] = np.datetime64("2020-02-28") + n
    record["ü"] = "é" * n
fields = ("id: uint16 at 0\npoint.x: float32 at 2\npoint.label: utf8(3) at 6\n"
          "axes: int16[6] at 9\nday: date32 at 21\nü: utf8(4) at 25")
rows = [flat(record, dtype.names) for record in records]
save("records", records, fields, rows)
aligned = np.zeros(2, dtype=np.dtype([("a", "u1"), ("b", "f8")], align=True))
save("aligned", aligned, "a: uint8 at 0\nb: float64 at 1", [{"a": 0, "b": 0.0}] * 2)

for name, save_npz in [("stored", np.savez), ("deflated", np.savez_compressed)]:
    save_npz(os.path.join(folder, name + ".npz"), n=np.arange(3, dtype="i2"), p=records,
             xy=np.arange(6, dtype="f4").reshape(3, 2))
    fields = ("n: int16 at 0\np.id: uint16 at 2\np.point.x: float32 at 4\n"
              "p.point.label: utf8(3) at 8\np.axes: int16[6] at 11\np.day: date32 at 23\n"
              "p.ü: utf8(4) at 27\nxy: float32[2] at 31")
    rows = [{"n": n, **flat(record, dtype.names, "p."), "xy": [2.0 * n, 2.0 * n + 1]}
            for n, record in enumerate(records)]
    tell(name + ".npz", fields, rows)
"#;

/// Runs a program of Python in `folder`, and returns its output.
fn run(python: &str, program: &str, folder: &Path) -> String {
    let output = Command::new(python).args(["-c", program]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn reader(path: &Path) -> TableReader<'static> {
    TableReader::new(Input::open(path).unwrap(), InputFormat::from_path(path)).unwrap()
}

/// The records as NDJSON.
fn ndjson(schema: &Schema, records: &[u8]) -> String {
    let mut writer = NdjsonWriter::new(Vec::new(), schema.fields());
    for record in records.chunks_exact(schema.record_size() as usize) {
        writer.write(record).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// Finds a type that becomes another one, or a value that changes on its way.
#[test]
fn arrays_of_every_type_are_loaded_as_numpy_reads_them() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let told = run(&python, ARRAYS, dir.path());
    let parts: Vec<&str> = told.split_terminator('\0').collect();
    assert!(parts.len() > 100, "{told}");
    for [name, fields, lines] in parts.chunks_exact(3).map(|it| [it[0], it[1], it[2]]) {
        let path = dir.path().join(name);
        let mut reader = reader(&path);
        let inferred = reader.infer(None).unwrap();
        let schema = inferred.schema;
        let found: Vec<String> = schema.fields().iter().map(Field::to_string).collect();
        assert_eq!(found.join("\n"), fields, "{name}");
        let mut records: Vec<u8> = Vec::new();
        let report = reader.load(&schema, &mut records).unwrap();
        assert_eq!(report.loaded, inferred.rows, "{name}");
        assert_eq!(ndjson(&schema, &records), lines, "{name}");
        assert_eq!(report.nulls, lines.matches(":null").count() as u64, "{name}");
    }
}

/// Bytes of a .npy file with that header, and these bytes of elements.
fn npy(header: &str, elements: &[u8]) -> Vec<u8> {
    let len = u16::try_from(header.len()).unwrap().to_le_bytes();
    [&b"\x93NUMPY\x01\0"[..], &len, header.as_bytes(), elements].concat()
}

fn with(descr: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}")
}

fn error_of(bytes: &[u8]) -> (ErrorKind, String) {
    let input = Input::from_bytes(bytes);
    let mut reader = TableReader::new(input, InputFormat::Npy).unwrap();
    let mut records: Vec<u8> = Vec::new();
    let error = match reader.infer(None) {
        Ok(inferred) => reader.load(&inferred.schema, &mut records).unwrap_err(),
        Err(error) => error,
    };
    (error.kind(), error.to_string())
}

/// Finds a file that is read as nonsense, or refused without a word of advice.
#[test]
fn a_refused_array_is_named_with_advice() {
    let invalid = ErrorKind::InvalidValue;
    let unsupported = ErrorKind::Unsupported;
    let cases: Vec<(Vec<u8>, ErrorKind, &str, &str)> = vec![
        (b"a,b\n1,2\n".to_vec(), invalid, "no numpy array", "numpy.save"),
        (b"\x93NUM".to_vec(), invalid, "no numpy array", "numpy.save"),
        (b"\x93NUMPY\x04\0\x02\0{}".to_vec(), invalid, "version 4", "save"),
        (b"\x93NUMPY\x01\0\x40\0{'descr'".to_vec(), invalid, "ends within its header", "copy"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff".to_vec(), invalid, "4294967295 bytes", "save"),
        (b"\x93NUMPY\x03\0\x02\0\0\0\xff\xff".to_vec(), invalid, "not UTF-8", "save"),
        (npy("{'descr': '<i4'", b""), invalid, "at character 16", "save"),
        (npy("[1, 2]", b""), invalid, "a list, no dict", "save"),
        (npy("{'descr': '<i4', 'shape': (1,)}", b""), invalid, "lacks \"fortran_order\"", "save"),
        (npy("{'descr': '<i4', 'colour': 1}", b""), invalid, "unknown key", "save"),
        (npy(&with("'<i4'", "3"), b""), invalid, "shape in its header is no tuple", "save"),
        (npy(&with("'<i4'", "(-1,)"), b""), invalid, "other than lengths", "save"),
        (npy(&with("'|O'", "(1,)"), b""), unsupported, "Python objects", "astype"),
        (npy(&with("'<c16'", "(1,)"), b""), unsupported, "complex", "array.real"),
        (npy(&with("'<f16'", "(1,)"), b""), unsupported, "<f16", "astype('f8')"),
        (npy(&with("'<M8[M]'", "(1,)"), b""), unsupported, "unit", "astype('M8[s]')"),
        (npy(&with("'<m8[D]'", "(1,)"), b""), unsupported, "unit", "astype('m8[s]')"),
        (npy(&with("'<M8'", "(1,)"), b""), unsupported, "unit", "astype"),
        (npy(&with("'<i3'", "(1,)"), b""), unsupported, "unknown type \"<i3\"", "numpy.save"),
        (npy(&with("'<U0'", "(1,)"), b""), unsupported, "no bytes", "leave it out"),
        (npy(&with("'<i4'", "()"), b"1234"), unsupported, "no dimension", "reshape(1)"),
        (npy(&with("'<i4'", "(2, 0)"), b""), unsupported, "no values", "leave it out"),
        (npy(&with("[('a', '<i4')]", "(1, 1)"), b"1234"), unsupported, "dimensions", "ravel"),
        (npy(&with("[('a', [('b', 'u1')], (2,))]", "(1,)"), b""), unsupported, "records", "fields"),
        (npy(&with("[('a', '<i4'), ('a', 'u1')]", "(0,)"), b""), ErrorKind::InvalidSchema, "a", ""),
        (npy(&with("'<i4'", "(2,)"), b"1234567"), ErrorKind::Truncated, "ends before", "copy"),
        (npy(&with("'<i4'", "(1,)"), b"123456"), invalid, "bytes after the last row", ".npz"),
    ];
    for (bytes, kind, what, advice) in cases {
        let (found, text) = error_of(&bytes);
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(what), "{what}: {text}");
        assert!(text.contains(advice), "{advice}: {text}");
        assert!(text.contains("memory"), "the file is not named: {text}");
    }
}

/// Finds a field of an exported array that becomes another one, or a null that is lost.
#[test]
fn an_exported_array_comes_back() {
    let fields = [
        Field::new("a", DataType::UInt8),
        Field::new("b", DataType::Float64).array(3),
        Field::new("c", DataType::Utf8(5)),
    ];
    let schema = with_gaps(fields);
    let size = schema.record_size() as usize;
    let bytes = npy_of(&schema, &vec![0; 3 * size]);
    let mut reader = TableReader::new(Input::from_bytes(&bytes), InputFormat::Npy).unwrap();
    let mut records: Vec<u8> = Vec::new();
    let report = reader.load(&schema, &mut records).unwrap();
    assert_eq!(report.loaded, 3);
    assert_eq!(records, vec![0; 3 * size]);

    let schema = Schema::packed([
        Field::new("n", DataType::Int16).nullable(),
        Field::new("day", DataType::Date32).nullable(),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond)).utc().nullable(),
        Field::new("text", DataType::Utf8(3)).nullable(),
        Field::new("wide", DataType::Int128),
        Field::new("axes", DataType::UInt16).array(2).nullable(),
    ])
    .unwrap();
    let texts = ["-5", "2013-01-31", "2013-01-31T05:00:00.250Z", "ab", "-7", "[1,2]"];
    let mut full = vec![0; schema.record_size() as usize];
    for (field, text) in schema.fields().iter().zip(texts) {
        field.parse_text(text, &mut full).unwrap();
    }
    let mut empty = vec![0; full.len()];
    schema.field("wide").unwrap().parse_text("3", &mut empty).unwrap();
    let all = [full, empty].concat();
    let bytes = npy_of(&schema, &all);
    let mut reader = TableReader::new(Input::from_bytes(&bytes), InputFormat::Npy).unwrap();
    let mut records: Vec<u8> = Vec::new();
    let report = reader.load(&schema, &mut records).unwrap();
    assert_eq!((report.loaded, report.nulls), (2, 5));
    assert_eq!(records, all);
    let inferred = reader.infer(None).unwrap().schema;
    let shown: Vec<String> = inferred.fields().iter().map(Field::to_string).collect();
    assert_eq!(
        shown,
        [
            "n: int16 nullable at 0",
            "day: int32 nullable at 3",
            "at: timestamp(ms) nullable at 8",
            "text: utf8(3) nullable at 17",
            "wide: binary(16) at 21",
            "axes: uint16[2] nullable at 37",
        ]
    );
}

fn npy_of(schema: &Schema, records: &[u8]) -> Vec<u8> {
    let mut store = DynStore::temporary(schema).unwrap();
    store.append_packed(records).unwrap();
    let mut out = Vec::new();
    let exporter = Exporter::new(schema, ExportFormat::Npy).count(store.count());
    let mut export = exporter.begin_to(&mut out).unwrap();
    for (id, record) in &store {
        export.push(id, record).unwrap();
    }
    export.finish().unwrap();
    out
}

/// Finds a value that is changed to fit, and a bad row that is dropped or named wrongly.
#[test]
fn values_that_do_not_fit_are_bad_rows() {
    let descr = "[('n', '<i8'), ('x', '<f8'), ('b', '|b1'), ('s', 'S2')]";
    let rows: [(i64, f64, u8, &[u8; 2]); 6] = [
        (7, 0.5, 1, b"ab"),
        (300, 0.5, 1, b"ab"),
        (8, 0.1, 0, b"ab"),
        (9, 0.5, 2, b"ab"),
        (10, 0.5, 0, b"\xff\xfe"),
        (11, -0.25, 0, b"a\0"),
    ];
    let bytes: Vec<u8> = rows
        .iter()
        .flat_map(|(n, x, b, s)| [&n.to_le_bytes()[..], &x.to_le_bytes(), &[*b], &s[..]].concat())
        .collect();
    let file = npy(&with(descr, "(6,)"), &bytes);
    let schema = Schema::packed([
        Field::new("x", DataType::Float32),
        Field::new("n", DataType::UInt8).nullable(),
        Field::new("s", DataType::Utf8(2)),
        Field::new("b", DataType::Bool),
    ])
    .unwrap();
    let mut rejects = Vec::new();
    let mut records: Vec<u8> = Vec::new();
    let report = TableReader::new(Input::from_bytes(&file), InputFormat::Npy)
        .unwrap()
        .on_reject(|reject| {
            let row = String::from_utf8(reject.row.to_vec()).unwrap();
            let column = reject.column.unwrap_or_default();
            rejects.push(format!("{} {column} {} | {row}", reject.line, reject.reason));
            Ok(())
        })
        .load(&schema, &mut records)
        .unwrap();
    assert_eq!((report.loaded, report.rejected), (2, 4));
    assert_eq!(
        ndjson(&schema, &records),
        "{\"x\":0.5,\"n\":7,\"s\":\"ab\",\"b\":true}\n\
         {\"x\":-0.25,\"n\":11,\"s\":\"a\",\"b\":false}\n"
    );
    let expected = [
        ("2 n field n (uint8): \"300\": ", "| 300,0.5,true,ab"),
        ("3 x field x (float32): \"0.1\": ", "| 8,0.1,false,ab"),
        ("4 b field b (bool): its bool byte is [2]", "| 9,0.5,,ab"),
        ("5 s field s (utf8(2)): text: ", "| 10,0.5,false,"),
    ];
    assert_eq!(rejects.len(), expected.len(), "{rejects:#?}");
    for (reject, (start, end)) in rejects.iter().zip(expected) {
        assert!(reject.starts_with(start) && reject.ends_with(end), "{reject}");
    }

    let mut reader = TableReader::new(Input::from_bytes(&file), InputFormat::Npy).unwrap();
    let error = reader.load(&schema, &mut Vec::new()).unwrap_err();
    assert_eq!((error.field_name(), error.value_text()), (Some("n"), Some("300")));
    assert!(error.to_string().contains("memory: invalid value: row 2: field n"), "{error}");

    let other = Schema::packed([Field::new("n", DataType::Int64)]).unwrap();
    let error = reader.load(&other, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    let text = error.to_string();
    assert!(text.contains("no field for column \"x\"; no field for column \"b\""), "{text}");
}

/// Finds a number that is rounded unasked, or not rounded when asked.
#[test]
fn rounding_is_asked_for_and_counted() {
    let file = npy(&with("'<f8'", "(2,)"), &[0.1f64.to_le_bytes(), 0.5f64.to_le_bytes()].concat());
    let schema = Schema::packed([Field::new("value", DataType::Float32)]).unwrap();
    let reader = || TableReader::new(Input::from_bytes(&file), InputFormat::Npy).unwrap();
    let error = reader().load(&schema, &mut Vec::new()).unwrap_err();
    assert_eq!(error.cause(), Some(flatrec::Cause::UnfitNumber));
    let mut records: Vec<u8> = Vec::new();
    let report = reader().round(true).load(&schema, &mut records).unwrap();
    assert_eq!((report.loaded, report.rounded), (2, 1));
    assert_eq!(records, [0.1f32.to_le_bytes(), 0.5f32.to_le_bytes()].concat());
}

/// Finds a row that a resumed load loses or loads twice, in either order of the values.
#[test]
fn a_load_resumes_from_every_point_with_the_same_result() {
    const ROWS: u32 = 400_000;
    let elements: Vec<u8> = (0..2 * ROWS).flat_map(u32::to_le_bytes).collect();
    let schema = Schema::packed([Field::new("value", DataType::UInt32).array(2)]).unwrap();
    for order in ["False", "True"] {
        let header = format!("{{'descr': '<u4', 'fortran_order': {order}, 'shape': ({ROWS}, 2)}}");
        let file = npy(&header, &elements);
        for threads in [1, 3] {
            let load = |from: &LoadPoint| -> (PointSink, LoadReport) {
                let mut sink = PointSink::default();
                let reader = TableReader::new(Input::from_bytes(&file), InputFormat::Npy).unwrap();
                let report = reader.threads(threads).load_from(&schema, &mut sink, from).unwrap();
                (sink, report)
            };
            let (all, report) = load(&LoadPoint::default());
            assert_eq!(report.loaded, u64::from(ROWS));
            assert!(all.points.len() > 3, "too few points");
            let second: Vec<u32> = all.bytes[8..16]
                .chunks(4)
                .map(|it| u32::from_le_bytes(it.try_into().unwrap()))
                .collect();
            assert_eq!(second, if order == "True" { [1, ROWS + 1] } else { [2, 3] });
            for (done_bytes, point) in &all.points {
                let (rest, rest_report) = load(point);
                assert!(rest.bytes == all.bytes[*done_bytes..], "after {point:?}");
                assert_eq!(rest_report.loaded, report.loaded, "after {point:?}");
            }
        }
    }
}

/// Finds a damaged archive that is read, and arrays that are put together by guess.
#[test]
fn an_npz_is_checked_and_an_array_can_be_chosen() {
    const SCRIPT: &str = "import sys, os, numpy as np\n\
        np.savez(os.path.join(sys.argv[1], 'a.npz'), n=np.arange(3), m=np.arange(4, dtype='i2'))\n\
        np.savez_compressed(os.path.join(sys.argv[1], 'f.npz'), \
        g=np.asfortranarray(np.zeros((2, 2))))\n\
        np.savez(os.path.join(sys.argv[1], 'o.npz'), n=np.arange(2), o=np.array([{}, {}]))\n";
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    run(&python, SCRIPT, dir.path());
    let path = dir.path().join("a.npz");
    let error = reader(&path).infer(None).unwrap_err().to_string();
    assert!(error.contains("different lengths: \"n\" has 3 rows, \"m\" has 4 rows"), "{error}");
    let mut chosen = reader(&path).array("m");
    let schema = chosen.infer(None).unwrap().schema;
    assert_eq!(schema.fields()[0].to_string(), "m: int16 at 0");
    let mut records: Vec<u8> = Vec::new();
    chosen.load(&schema, &mut records).unwrap();
    assert_eq!(records, [0, 0, 1, 0, 2, 0, 3, 0]);
    let error = reader(&path).array("mm").infer(None).unwrap_err().to_string();
    assert!(error.contains("no array \"mm\" (it has \"n\", \"m\")"), "{error}");

    let error = reader(&dir.path().join("f.npz")).infer(None).unwrap_err().to_string();
    assert!(error.contains("Fortran's order"), "{error}");
    let error = reader(&dir.path().join("o.npz")).infer(None).unwrap_err().to_string();
    assert!(error.contains("o.npz") && error.contains("array \"o\": it has Python"), "{error}");

    let mut bytes = std::fs::read(&path).unwrap();
    // The last byte of the element 3 of `m`, before the next entry.
    let at = bytes.windows(8).rposition(|it| it == [0, 0, 1, 0, 2, 0, 3, 0]).unwrap();
    bytes[at + 4] ^= 1;
    let mut damaged =
        TableReader::new(Input::from_bytes(&bytes), InputFormat::Npz).unwrap().array("m");
    let error = damaged.load(&schema, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains("array \"m\": its checksum does not match"), "{error}");
    for len in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        let input = Input::from_bytes(&bytes[..len]);
        let error = TableReader::new(input, InputFormat::Npz).unwrap().infer(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
    }
}
