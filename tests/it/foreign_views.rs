//! Records of foreign files lent in place, as bytes and as values of a Rust type.
#![allow(unsafe_code, reason = "nothing changes the files of these tests")]

use std::path::PathBuf;

use flatrec::foreign::{ForeignLayout, ForeignView};
use flatrec::{ErrorKind, Record, Result, be};

/// `struct { uint32_t id; int16_t axes[2]; double value; }` of C.
#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Sample {
    id: u32,
    axes: [i16; 2],
    value: f64,
}

const SAMPLES: &str = r#"{ "offset": 16, "fields": [
    { "name": "id", "type": "uint32" },
    { "name": "axes", "type": "int16", "array": 2 },
    { "name": "value", "type": "float64" }
] }"#;

/// A file of three samples behind a header of 16 bytes.
fn samples() -> (tempfile::TempDir, PathBuf, [Sample; 3]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("samples.bin");
    let values = [
        Sample { id: 1, axes: [-1, 2], value: 0.5 },
        Sample { id: u32::MAX, axes: [i16::MAX, i16::MIN], value: -0.0 },
        Sample { id: 0, axes: [0, 7], value: 1e300 },
    ];
    let mut bytes = vec![0xEE; 16];
    for Sample { id, axes: [x, y], value } in values {
        bytes.extend(id.to_le_bytes());
        bytes.extend(x.to_le_bytes());
        bytes.extend(y.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    std::fs::write(&path, bytes).unwrap();
    (directory, path, values)
}

fn open<R: Record>(path: &PathBuf, json: &str) -> Result<ForeignView<R>> {
    let layout = ForeignLayout::from_json(json, path)?;
    // SAFETY: nothing changes the file while the view lives.
    unsafe { ForeignView::open(path, &layout) }
}

/// Types in the machine's order see a little-endian file on such a machine only.
#[cfg(target_endian = "little")]
#[test]
fn records_are_values_of_a_type_up_to_the_end_of_the_file() {
    let (_directory, path, values) = samples();
    let view = open::<Sample>(&path, SAMPLES).unwrap();
    assert_eq!(view.count(), 3);
    assert_eq!(view.iter().map(|(_, it)| *it).collect::<Vec<_>>(), values);
    let back: Vec<(u64, Sample)> = view.iter().rev().map(|(id, it)| (id, *it)).collect();
    assert_eq!(back[0], (2, values[2]));
    assert_eq!((view.get(1), view.get(3)), (Some(&values[1]), None));
    let two = open::<Sample>(&path, &SAMPLES.replacen('{', "{ \"count\": 2, ", 1)).unwrap();
    assert_eq!((two.count(), two.get(2)), (2, None));
    let none = open::<Sample>(&path, &SAMPLES.replacen('{', "{ \"count\": 0, ", 1)).unwrap();
    assert_eq!((none.count(), none.iter().count()), (0, 0));
}

/// Finds a type that is laid over other bytes than its own.
#[test]
fn another_layout_than_that_of_the_type_is_an_error() {
    let (_directory, path, _) = samples();
    for (from, to, what) in [
        ("float64", "int64", "the type has a field value: float64 at 8, and the file does not"),
        ("\"id\"", "\"number\"", "the type has a field id: uint32 at 0, and the file does not"),
        ("\"offset\": 16", "\"offset\": 16, \"endian\": \"big\"", "the type has a field"),
        ("\"offset\": 16", "\"offset\": 16, \"stride\": 48", "the file has a record each 48 bytes"),
        (
            "{ \"name\": \"axes\", \"type\": \"int16\", \"array\": 2 }",
            "{ \"name\": \"axes\", \"type\": \"int16\" }, { \"name\": \"z\", \"type\": \"int16\" }",
            "the type has a field axes",
        ),
    ] {
        let json = SAMPLES.replace(from, to);
        assert_ne!(json, SAMPLES);
        let error = open::<Sample>(&path, &json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error}");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains("samples.bin"), "{text}");
    }
}

/// Finds a reference to a value at an address that its type does not allow.
#[test]
fn records_that_are_not_aligned_for_the_type_are_an_error() {
    let (_directory, path, _) = samples();
    // Not of four bytes either, as on systems of 32 bits.
    let json = SAMPLES.replacen("\"offset\": 16", "\"offset\": 18, \"count\": 2", 1);
    let error = open::<Sample>(&path, &json).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.to_string().contains("align"), "{error}");
}

#[test]
fn a_file_that_was_cut_is_an_error() {
    let (_directory, path, _) = samples();
    let counted = SAMPLES.replacen('{', "{ \"count\": 3, ", 1);
    let len_bytes = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(len_bytes - 1).unwrap();
    let error = open::<Sample>(&path, &counted).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    let error = open::<Sample>(&path, SAMPLES).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("2 records of 16 bytes end 15 bytes before"), "{error}");
    file.set_len(8).unwrap();
    let error = open::<Sample>(&path, SAMPLES).unwrap_err();
    assert!(error.to_string().contains("the file ends at byte 8, before its records"), "{error}");
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Row {
    value: [be::I32; 6],
}

/// Finds rows of numpy, and big-endian ones, that no type can have.
#[test]
fn rows_of_numpy_are_values_of_a_type() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/matrix.npy");
    let layout = ForeignLayout::detect(&path).unwrap().unwrap();
    // SAFETY: nothing changes the file while the view lives.
    let view = unsafe { ForeignView::<Row>::open(&path, &layout) }.unwrap();
    let last = view.get(1).unwrap().value.map(be::I32::get);
    assert_eq!((view.count(), last), (2, [1, 2, 3, 4, 5, 6]));
    let records = path.with_file_name("records.npy");
    let layout = ForeignLayout::detect(&records).unwrap().unwrap();
    // SAFETY: as above.
    let error = unsafe { ForeignView::<[u8]>::open(&records, &layout) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
