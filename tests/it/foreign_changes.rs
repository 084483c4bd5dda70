//! Changes of foreign files at their places, and files that no change leaves whole.

use std::path::{Path, PathBuf};

use flatrec::foreign::{ForeignEditor, ForeignFile, ForeignLayout};
use flatrec::{ErrorKind, Result, Value, Wait};

/// A copy of a file of `tests/foreign`, or other bytes.
struct Copy {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Copy {
    fn of(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
        Self::with(name, std::fs::read(folder.join(name)).unwrap())
    }

    fn with(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self { _directory: directory, path }
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    fn layout(&self, kind: &str) -> ForeignLayout {
        match kind.starts_with('{') {
            true => ForeignLayout::from_json(kind, &self.path).unwrap(),
            false => ForeignLayout::of_kind(&self.path, kind).unwrap(),
        }
    }

    fn editor(&self, layout: &ForeignLayout) -> Result<ForeignEditor> {
        ForeignEditor::open(&self.path, layout, Wait::No)
    }

    /// Sets one field of a record; returns the whole file.
    fn set(&self, kind: &str, id: u64, field: &str, value: &Value<'_>) -> Result<Vec<u8>> {
        let mut editor = self.editor(&self.layout(kind))?;
        let mut record = editor.file().copy(id)?.unwrap();
        editor.file().schema().field(field).unwrap().write(&mut record, value)?;
        editor.set(id, &record)?;
        assert_eq!(editor.file().copy(id)?.unwrap(), record, "{field}");
        editor.close()?;
        Ok(self.bytes())
    }
}

const LINES: &str = r#"{ "kind": "text", "fields": [
    { "name": "id", "type": "int32", "width": 4, "nullable": true },
    { "name": "name", "type": "utf8(4)", "offset": 5, "nullable": true, "null_words": ["-"] },
    { "name": "day", "type": "date32", "offset": 9, "width": 8, "nullable": true },
    { "name": "mm", "type": "float32", "offset": 17, "width": 6 }
] }"#;

const SAMPLES: &str = r#"{ "offset": 3, "stride": 12, "endian": "big", "fields": [
    { "name": "n", "type": "int16", "nullable": true },
    { "name": "text", "type": "utf8(3)", "offset": 4, "pad": "space" },
    { "name": "flag", "type": "bool" },
    { "name": "axes", "type": "uint16", "array": 2 }
] }"#;

/// Fields in another order than their places, all used in place.
const MIXED: &str = r#"{ "offset": 3, "stride": 12, "fields": [
    { "name": "wide", "type": "uint32", "offset": 8 },
    { "name": "n", "type": "int16", "offset": 1, "endian": "big" },
    { "name": "tag", "type": "uint8", "offset": 0 }
] }"#;

/// Fields of LAS that the header summarises, those that the file adds among them.
const SUMMARISED: [&str; 9] =
    ["X", "Y", "Z", "return_number", "more", "vector", "double", "scaled", "moved"];

/// Finds a value that is written as another one, and a byte that changes beside the two records.
#[test]
fn two_records_of_each_kind_change_their_places() {
    let lines = Copy::with("lines", "  12 Ada 20240229   1.5\n     -            -2.25");
    let samples =
        Copy::with("samples", b"HDR\x01\0\x07\xEEab \x01\0\x01\0\x02\0\0\0\xEEcd!\0\xFF\xFE\0\0");
    let mixed = Copy::with("mixed", b"HDR\x01\0\x02.....\x03\0\0\x04\x05\0\x06.....\x07\0\0\0");
    for (copy, kind) in [
        (Copy::of("people.dbf"), "dbf"),
        (Copy::of("images.idx"), "idx"),
        (Copy::of("labels.idx"), "idx"),
        (Copy::of("vectors.fvecs"), "fvecs"),
        (Copy::of("vectors.bvecs"), "bvecs"),
        (Copy::of("events.fits"), "fits"),
        (Copy::of("logins.wtmp"), "utmp"),
        (Copy::of("points-3.las"), "las"),
        (Copy::of("points-10.las"), "las"),
        (Copy::of("records.npy"), "npy"),
        (Copy::of("matrix.npy"), "npy"),
        (lines, LINES),
        (samples, SAMPLES),
        (mixed, MIXED),
    ] {
        let native = copy.layout(kind).into_native().unwrap();
        for layout in [copy.layout(kind), native] {
            let before = copy.bytes();
            let mut editor = copy.editor(&layout).unwrap();
            let file = editor.file();
            let (zero, one) = (file.copy(0).unwrap().unwrap(), file.copy(1).unwrap().unwrap());
            let (mut first, mut second) = (one.clone(), zero.clone());
            for name in if kind == "las" { &SUMMARISED[..] } else { &[] } {
                let Some(field) = file.schema().field(name) else { continue };
                let start = field.offset() as usize;
                let place = start..start + field.size_bytes() as usize;
                first[place.clone()].copy_from_slice(&zero[place.clone()]);
                second[place.clone()].copy_from_slice(&one[place]);
            }
            assert!(editor.set(0, &first).unwrap() && editor.set(1, &second).unwrap(), "{kind}");
            assert!(!editor.set(1, &second).unwrap(), "{kind}: nothing to change");
            editor.close().unwrap();
            let file = ForeignFile::open(&copy.path, &layout).unwrap();
            assert_eq!(file.copy(0).unwrap().unwrap(), first, "{kind}");
            assert_eq!(file.copy(1).unwrap().unwrap(), second, "{kind}");
            let after = copy.bytes();
            let start = layout.data_offset() as usize;
            let end = (start + 2 * layout.stride() as usize).min(before.len());
            assert!(after.len() == before.len() && after[start..end] != before[start..end]);
            assert_eq!(after[..start], before[..start], "{kind}: bytes before the records");
            assert_eq!(after[end..], before[end..], "{kind}: bytes behind the records");
        }
    }
}

#[test]
fn values_are_written_in_the_form_of_their_files() {
    let people = Copy::of("people.dbf");
    let row = |bytes: &[u8], id: usize| {
        let layout = people.layout("dbf");
        let start = layout.data_offset() as usize + id * layout.stride() as usize;
        bytes[start..start + layout.stride() as usize].to_vec()
    };
    let was = row(&people.bytes(), 0);
    assert_eq!(was, b" Ada          36 10000000000000000    0.2518151210T");
    people.set("dbf", 0, "NAME", &Value::Text("Zoë €")).unwrap();
    people.set("dbf", 0, "AGE", &Value::Null).unwrap();
    people.set("dbf", 0, "BIG", &Value::Int(-7)).unwrap();
    people.set("dbf", 0, "SCORE", &Value::Float(-0.5)).unwrap();
    people.set("dbf", 0, "BORN", &Value::Null).unwrap();
    let now = people.set("dbf", 0, "MEMBER", &Value::Null).unwrap();
    assert_eq!(row(&now, 0), b" Zo\xEB \x80                          -7   -0.50        ?");

    let lines = Copy::with("lines", "  12 Ada 20240229   1.5\n");
    lines.set(LINES, 0, "id", &Value::Null).unwrap();
    lines.set(LINES, 0, "name", &Value::Null).unwrap();
    lines.set(LINES, 0, "day", &Value::Date(0)).unwrap();
    let now = lines.set(LINES, 0, "mm", &Value::Float32(0.1)).unwrap();
    assert_eq!(String::from_utf8(now).unwrap(), "     -   19700101   0.1\n");

    let samples = Copy::with("samples", b"HDR\x01\0\x07\xEEab \x01\0\x01\0\x02");
    samples.set(SAMPLES, 0, "n", &Value::Int(-2)).unwrap();
    let now = samples.set(SAMPLES, 0, "text", &Value::Text("z")).unwrap();
    assert_eq!(now, b"HDR\x01\xFF\xFE\xEEz  \x01\0\x01\0\x02");
}

/// Finds a value that is changed to fit.
#[test]
fn a_value_that_the_file_cannot_keep_is_an_error_and_changes_nothing() {
    use Value::{Float, Int, Text, UInt};
    for (name, kind, field, value, what) in [
        ("people.dbf", "dbf", "SCORE", Float(0.125), "the file would keep 0.12 instead"),
        ("people.dbf", "dbf", "SCORE", Float(f64::NAN), "finite numbers only"),
        ("people.dbf", "dbf", "SCORE", Float(1e9), "has 13 bytes, the field 8"),
        ("people.dbf", "dbf", "AGE", Int(1000), "has 4 bytes, the field 3"),
        ("people.dbf", "dbf", "NAME", Text("δ"), "cp1252 has no character 'δ'"),
        ("people.dbf", "dbf", "NAME", Text("thirteen char"), "has 13 bytes, the field 12"),
        ("people.dbf", "dbf", "NAME", Text("a  "), "the file would keep a instead"),
        ("people.dbf", "dbf", "BORN", Value::Date(-800_000), "years from 0000 to 9999"),
        ("events.fits", "fits", "scaled", Float(100.3), "the file would keep 100.5 instead"),
        ("events.fits", "fits", "scaled", Float(1e9), "no number for it"),
        ("events.fits", "fits", "short", Int(-99), "the file would keep null instead"),
        ("events.fits", "fits", "name", Text("seven c"), "field name"),
        ("points-3.las", "las", "X", Int(7), "the least and the greatest of all"),
        ("points-3.las", "las", "return_number", UInt(2), "the number of points for each"),
        ("points-3.las", "las", "number_of_returns", UInt(8), "3 bits for it, so 7 is the most"),
        ("logins.wtmp", "utmp", "addr", Value::Binary(&[0; 16]), "would keep null instead"),
        (
            "logins.wtmp",
            "utmp",
            "time",
            Value::Timestamp(1 << 52, flatrec::TimeUnit::Microsecond),
            "32 bits for the seconds",
        ),
        ("records.npy", "npy", "half", Value::Float32(0.1), "the file would keep 0.099975586"),
        ("records.npy", "npy", "name", Text("abcde"), "has 5 characters, the field 4"),
        (
            "records.npy",
            "npy",
            "took",
            Value::Duration(i64::MIN, flatrec::TimeUnit::Nanosecond),
            "the file would keep null instead",
        ),
    ] {
        let copy = Copy::of(name);
        let before = copy.bytes();
        let error = match copy.set(kind, 0, field, &value) {
            Err(error) => error,
            Ok(_) => panic!("{name}: {field} has {value:?}"),
        };
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
        assert!(error.to_string().contains(what), "{field}: {error}");
        assert_eq!(copy.bytes(), before, "{field}");
    }
}

/// Finds a change that leaves a wrong checksum or index, and one beside another editor.
#[test]
fn files_that_a_change_would_damage_are_refused() {
    let fits = Copy::of("events.fits");
    let mut bytes = fits.bytes();
    let table = bytes.windows(5).rposition(|it| it == b"OTHER").unwrap();
    let end = table + bytes[table..].windows(4).position(|it| it == b"END ").unwrap();
    let card = format!("{:<80}{:<80}", "DATASUM = '12'", "END");
    bytes[end..end + 160].copy_from_slice(card.as_bytes());
    std::fs::write(&fits.path, &bytes).unwrap();
    let error = fits.editor(&fits.layout("fits:OTHER")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("a checksum (CHECKSUM, DATASUM)"), "{error}");
    assert!(fits.editor(&fits.layout("fits:EVENTS")).is_ok(), "a table of its own");

    let people = Copy::of("people.dbf");
    let layout = people.layout("dbf");
    let mut bytes = people.bytes();
    bytes[28] = 1;
    std::fs::write(&people.path, &bytes).unwrap();
    let error = people.editor(&people.layout("dbf")).unwrap_err();
    assert!(error.to_string().contains("an index beside it (.mdx)"), "{error}");

    let first = people.editor(&layout).unwrap();
    let error = people.editor(&layout).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    let record = first.file().copy(0).unwrap().unwrap();
    drop(first);
    let mut editor = people.editor(&layout).unwrap();
    assert_eq!(editor.set(4, &record).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert_eq!(editor.set(2, &record).unwrap_err().kind(), ErrorKind::Deleted);
    let error = editor.set(1, &record[1..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert_eq!(people.bytes(), bytes);
}

/// Finds a record with bytes that no reader accepts.
#[test]
fn bytes_that_are_no_value_are_refused() {
    let samples = Copy::with("samples", b"HDR\x01\0\x07\xEEab \x01\0\x01\0\x02");
    for json in [SAMPLES.to_owned(), SAMPLES.replace("space", "zeros")] {
        let mut editor = samples.editor(&samples.layout(&json)).unwrap();
        let record = editor.file().copy(0).unwrap().unwrap();
        for (field, at, byte) in [("n", 0, 2), ("text", 0, 0xFF), ("flag", 0, 3)] {
            let mut other = record.clone();
            let place = editor.file().schema().field(field).unwrap().offset() as usize + at;
            other[place] = byte;
            let error = editor.set(0, &other).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidValue, "{field}: {error}");
        }
    }
    let vectors = Copy::of("vectors.fvecs");
    let mut editor = vectors.editor(&vectors.layout("fvecs")).unwrap();
    let mut record = editor.file().copy(0).unwrap().unwrap();
    record[0] = 9; // the number of elements, which no field has
    assert!(!editor.set(0, &record).unwrap());
}
