//! An independent reader: numpy reads what flatrec wrote, with the dtype that flatrec prints.
//!
//! The tests need a Python with numpy, `python3` or the one in `FLATREC_PYTHON`, and are skipped
//! without it.
#![cfg(feature = "exchange")]

use std::fs::File;
use std::path::Path;
use std::process::Command;

use flatrec::exchange::{
    CsvOptions, CsvReader, ExportFormat, Exporter, Input, NdjsonWriter, schema_to_numpy,
    slots_to_numpy,
};
use flatrec::{DataType, DynStore, Field, Schema, TimeUnit, Value};

use crate::support::dead;
use crate::support::fields::with_gaps;
use crate::support::skip::skip;

/// Compares a store that numpy maps with its records as NDJSON, value by value, and the .npy file
/// with the store. Prints the number of compared values.
const SCRIPT: &str = r#"
import ast, json, sys
import numpy

path, literal, offset, count, ndjson, npy = sys.argv[1:]
dtype = numpy.dtype(ast.literal_eval(literal))
count = int(count)
records = numpy.memmap(path, dtype=dtype, mode="r", offset=int(offset), shape=(count,))
compared = 0

def same(value, expected, kind):
    if kind == "M":
        return value == numpy.datetime64(expected.rstrip("Z"))
    if kind == "S":
        return value.decode("utf-8") == expected
    if kind == "V":
        return value.tobytes().hex() == expected
    if kind == "f":
        expected = value.dtype.type(expected)
        return value == expected or (numpy.isnan(value) and numpy.isnan(expected))
    if isinstance(expected, str):  # a date
        return numpy.datetime64("1970-01-01", "D") + int(value) == numpy.datetime64(expected, "D")
    return value == expected and kind in "biu"

with open(ndjson, encoding="utf-8") as lines:
    for record, line in zip(records, lines, strict=True):
        expected = json.loads(line)
        assert [n for n in dtype.names if not n.endswith("__valid")] == list(expected)
        for name, text in expected.items():
            compared += 1
            value = record[name]
            if name + "__valid" in dtype.names:
                assert record[name + "__valid"] == (text is not None), (name, text)
            if text is None:
                continue
            kind = dtype[name].base.kind
            if dtype[name].shape:
                assert dtype[name].shape == (len(text),), name
                assert all(same(v, t, kind) for v, t in zip(value, text)), (name, value, text)
            else:
                assert same(value, text, kind), (name, value, text)

loaded = numpy.load(npy)
assert loaded.dtype.itemsize == dtype.itemsize and loaded.dtype.names == dtype.names
assert loaded.shape == (count,)
for name in dtype.names:
    assert loaded.dtype.fields[name] == dtype.fields[name], name
    assert loaded[name].tobytes() == records[name].tobytes(), name
print(compared)
"#;

/// A Python that has numpy.
pub(crate) fn python() -> Option<String> {
    let named = std::env::var("FLATREC_PYTHON").ok();
    let candidates = named.iter().map(String::as_str).chain(["python3", "python"]);
    for candidate in candidates {
        let found = Command::new(candidate).args(["-c", "import numpy"]).output();
        if found.is_ok_and(|output| output.status.success()) {
            return Some(candidate.to_owned());
        }
    }
    skip!("this machine has no python3 with numpy: python3 -m pip install numpy");
    None
}

/// Compares the store at `path` in numpy. Returns the number of compared values, or `None` without
/// numpy.
fn compare(dir: &Path, path: &Path) -> Option<u64> {
    let python = python()?;
    let store = DynStore::open_read_only(path).unwrap();
    let (ndjson, npy) = (dir.join("records.ndjson"), dir.join("records.npy"));
    let mut lines = NdjsonWriter::new(File::create(&ndjson).unwrap(), store.schema().fields());
    for (_, record) in &store {
        lines.write(record).unwrap();
    }
    lines.finish().unwrap();
    Exporter::new(store.schema(), ExportFormat::Npy).export(store.iter(), &npy).unwrap();

    let offset = store.info().unwrap().data_offset.to_string();
    let output = Command::new(python)
        .args(["-c", SCRIPT])
        .arg(path)
        .args([schema_to_numpy(store.schema()), offset, store.count().to_string()])
        .args([ndjson, npy])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap())
}

/// Finds a file that another program cannot map by its offset and strides.
#[test]
fn numpy_reads_the_flights() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flights.rec");
    let csv = concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013-01.csv");
    let options = CsvOptions::new().null_text("NA");
    let mut reader = CsvReader::new(Input::open(csv).unwrap(), options);
    let schema = reader.infer(None).unwrap().schema;
    let mut store = DynStore::create(&path, &schema).unwrap();
    reader.load(&schema, &mut store).unwrap();
    assert_eq!(store.info().unwrap().data_offset, 65_536, "the documents promise another offset");
    store.close().unwrap();
    if let Some(compared) = compare(dir.path(), &path) {
        assert_eq!(compared, 27_004 * 19);
    }
}

/// Finds a store with deletes that numpy cannot map in place, with its status bytes.
#[test]
fn numpy_reads_a_store_with_deletes_in_place() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n.rec");
    let fields = [Field::new("n", DataType::UInt64), Field::new("status", DataType::UInt32).at(8)];
    let schema = Schema::new(fields.to_vec(), 12, 4).unwrap();
    let mut store = DynStore::create_options().deletes(true).create(&path, &schema).unwrap();
    for n in 0..10u64 {
        let mut record = [7; 12];
        record[..8].copy_from_slice(&n.to_le_bytes());
        store.append(&record).unwrap();
    }
    store.close().unwrap();
    dead::delete(&path, &[3, 7]);
    let script = "import sys, numpy\n\
        dtype = numpy.dtype(eval(sys.argv[2]))\n\
        all = numpy.memmap(sys.argv[1], dtype, mode='r', offset=65536, shape=(10,))\n\
        print(all[all['status_'] == 1]['n'].tolist())";
    let dtype = slots_to_numpy(&schema).unwrap();
    let mut command = Command::new(python);
    let output = command.args(["-c", script]).arg(&path).arg(dtype).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let numbers = String::from_utf8_lossy(&output.stdout);
    assert_eq!(numbers.trim(), "[0, 1, 2, 4, 5, 6, 8, 9]");
}

/// A schema of every type with gaps between the fields and at the end.
fn every_kind() -> Schema {
    use DataType::*;
    let fields = [
        Field::new("flag", Bool),
        Field::new("i8", Int8),
        Field::new("i16", Int16).nullable(),
        Field::new("i32", Int32).big_endian(),
        Field::new("i64", Int64),
        Field::new("u8", UInt8).array(2),
        Field::new("u16", UInt16).big_endian().nullable(),
        Field::new("u32", UInt32).array(3),
        Field::new("u64", UInt64),
        Field::new("f32", Float32).array(2).nullable(),
        Field::new("f64", Float64).big_endian(),
        Field::new("day", Date32).nullable(),
        Field::new("at", Timestamp(TimeUnit::Second)).utc(),
        Field::new("at ms", Timestamp(TimeUnit::Millisecond)).nullable(),
        Field::new("at_us", Timestamp(TimeUnit::Microsecond)).big_endian(),
        Field::new("at_ns", Timestamp(TimeUnit::Nanosecond)).array(2),
        Field::new("it's \\ text", Utf8(9)),
        Field::new("texts", Utf8(3)).array(2).nullable(),
        Field::new("bytes", Binary(5)),
        Field::new("Größe", Bool).array(4),
    ];
    with_gaps(fields)
}

/// A value of the type, different for each `seed`.
fn value(data_type: DataType, seed: u64) -> Value<'static> {
    const TEXTS: [&str; 5] = ["", "a", "ä", "x y", "€"];
    const BYTES: [&[u8]; 3] = [b"\0\0\0\0\0", b"\x01\xff\x7f\x80\0", b"hello"];
    // Spreads the seed over all bits.
    let bits = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match data_type {
        DataType::Bool => Value::Bool(bits >> 63 == 1),
        DataType::Int8 => Value::from(bits as i8),
        DataType::Int16 => Value::from(bits as i16),
        DataType::Int32 => Value::from(bits as i32),
        DataType::Int64 => Value::from(bits as i64),
        DataType::UInt8 => Value::from(bits as u8),
        DataType::UInt16 => Value::from(bits as u16),
        DataType::UInt32 => Value::from(bits as u32),
        DataType::UInt64 => Value::from(bits),
        DataType::Float32 => Value::from(f32::from_bits(bits as u32)),
        DataType::Float64 => Value::from(f64::from_bits(bits)),
        DataType::Date32 => Value::Date((bits % 60_000) as i32 - 20_000),
        // Within about a century before and after 1970.
        DataType::Timestamp(unit) => {
            let seconds = (bits % 8_000_000_000) as i64 - 3_000_000_000;
            let fraction = (bits >> 20) as i64 % unit.per_second();
            Value::Timestamp(seconds * unit.per_second() + fraction, unit)
        }
        DataType::Utf8(_) => Value::Text(TEXTS[bits as usize % 5]),
        _ => Value::Binary(BYTES[bits as usize % 3]),
    }
}

/// Finds a dtype with which numpy reads other values than the schema says.
#[test]
fn numpy_reads_every_type() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("every.rec");
    let schema = every_kind();
    let mut store = DynStore::create(&path, &schema).unwrap();
    for id in 0..100u64 {
        let mut record = vec![0; schema.record_size() as usize];
        for (at, field) in (0u64..).zip(schema.fields()) {
            let seed = id * 1000 + at * 10;
            if field.is_nullable() && seed % 3 == 0 {
                continue; // zeros mean null
            }
            match field.array_len() {
                None => field.write(&mut record, &value(field.data_type(), seed)).unwrap(),
                Some(len) => {
                    let elements: Vec<Value<'_>> =
                        (0..u64::from(len)).map(|n| value(field.data_type(), seed + n)).collect();
                    field.write_elements(&mut record, &elements).unwrap();
                }
            }
        }
        store.append(&record).unwrap();
    }
    store.close().unwrap();
    if let Some(compared) = compare(dir.path(), &path) {
        assert_eq!(compared, 100 * schema.fields().len() as u64);
    }
}
