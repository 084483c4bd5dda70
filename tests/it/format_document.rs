//! The Python reader in docs/FORMAT.md reads what flatrec writes, and refuses damage. (Tests in
//! src/format check the document's example.)

use std::path::Path;
use std::process::{Command, Output};

use flatrec::{DataType, DynStore, Field, Schema, TimeUnit, Value};

use crate::support::skip::skip;

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

/// Runs the document's reader. Returns `None` and skips the test without Python.
fn run_reader(path: &Path) -> Option<Output> {
    let (_, rest) = DOCUMENT.split_once("```python\n").expect("the document has a Python block");
    let (program, _) = rest.split_once("```").expect("the block has an end");
    match Command::new("python3").args(["-X", "utf8", "-c", program]).arg(path).output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip!("this machine has no python3: {error}");
            None
        }
    }
}

fn write_store(path: &Path) {
    let schema = Schema::new(
        vec![
            Field::new("id", DataType::UInt16),
            Field::new("flag", DataType::Bool).nullable().at(2),
            Field::new("at", DataType::Timestamp(TimeUnit::Millisecond)).utc().at(8),
            Field::new("größe, a name that is longer than forty bytes", DataType::Float32).at(16),
            Field::new("name", DataType::Utf8(7)).nullable().at(20),
            Field::new("axes", DataType::Int16).array(2).big_endian().nullable().at(28),
            Field::new("raw", DataType::Binary(2)).at(33),
            Field::new("another name that is longer than forty bytes", DataType::Int64).at(40),
        ],
        48,
        8,
    )
    .unwrap();
    let mut store = DynStore::create_options()
        .metadata(b"for whom it may concern")
        .create(path, &schema)
        .unwrap();
    let mut record = vec![0; 48];
    for (id, name) in [(1_u64, Value::Text("Ærø\"")), (65_535, Value::Null)] {
        let present = name != Value::Null;
        for field in schema.fields() {
            let value = match field.data_type() {
                DataType::UInt16 => Value::UInt(id),
                DataType::Bool if present => Value::Bool(true),
                DataType::Timestamp(unit) => Value::Timestamp(-1, unit),
                DataType::Float32 => Value::Float(0.25),
                DataType::Utf8(_) => name,
                DataType::Int16 if present => {
                    let axes = [Value::Int(-2), Value::Int(258)];
                    field.write_elements(&mut record, &axes).unwrap();
                    continue;
                }
                DataType::Bool | DataType::Int16 => Value::Null,
                DataType::Binary(_) => Value::Binary(&[0xFF, 0]),
                _ => Value::Int(i64::MIN),
            };
            field.write(&mut record, &value).unwrap();
        }
        store.append(&record).unwrap();
    }
    store.close().unwrap();
}

/// Finds a change of the format that docs/FORMAT.md does not describe.
#[test]
fn the_documents_reader_reads_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.rec");
    write_store(&path);
    let Some(output) = run_reader(&path) else { return };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let expected = [
        "{'id': 1, 'flag': True, 'at': -1, 'größe, a name that is longer than forty bytes': 0.25, \
         'name': 'Ærø\"', 'axes': [-2, 258], 'raw': b'\\xff\\x00', \
         'another name that is longer than forty bytes': -9223372036854775808}",
        "{'id': 65535, 'flag': None, 'at': -1, \
         'größe, a name that is longer than forty bytes': 0.25, 'name': None, 'axes': None, \
         'raw': b'\\xff\\x00', \
         'another name that is longer than forty bytes': -9223372036854775808}",
    ];
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

/// Finds a check that the reader of docs/FORMAT.md omits.
#[test]
fn the_documents_reader_refuses_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.rec");
    write_store(&path);
    let good = std::fs::read(&path).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut headless = flipped(70);
    headless[4096 + 70] ^= 1;
    for (bytes, expected) in [
        (headless, "no flatrec file, or a damaged one"),
        (flipped(8192 + 30), "the schema is damaged"),
        (good[..good.len() - 1].to_vec(), "the file is truncated"),
        (b"id,name\n".to_vec(), "no flatrec file"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let Some(output) = run_reader(&path) else { return };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(expected), "{expected}: {errors}");
    }
}
