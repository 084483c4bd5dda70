//! Foreign files and layouts that were made to mislead: huge numbers, fields in one another, files
//! that are not files.

use std::path::{Path, PathBuf};

use flatrec::ErrorKind::{Corrupt, InvalidArgument, InvalidSchema, OutOfRange, Truncated};
use flatrec::foreign::{ForeignFile, ForeignLayout};
use flatrec::{Error, Result};

struct Made {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn made(bytes: impl AsRef<[u8]>) -> Made {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    Made { _directory: directory, path }
}

fn opened(path: &Path, layout: Result<ForeignLayout>) -> Result<Vec<Vec<u8>>> {
    let layout = layout?;
    let file = ForeignFile::open(path, &layout)?;
    let ids = [0, 1, layout.count() - 1, layout.count(), u64::MAX];
    ids.into_iter().try_for_each(|id| file.copy(id).map(drop))?;
    file.copies(..)
        .collect::<Result<Vec<_>>>()
        .map(|them| them.into_iter().map(|it| it.1).collect())
}

#[track_caller]
fn assert_says(error: &Error, kind: flatrec::ErrorKind, what: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(what), "{error}");
}

#[test]
fn numbers_of_layout_files_that_no_file_has_are_errors() {
    let file = made([0; 64]);
    let of = |top: &str, field: &str| {
        format!("{{ {top} \"fields\": [{{ \"name\": \"n\", \"type\": \"uint16\"{field} }}] }}")
    };
    let max = u64::MAX;
    for (top, field, kind, what) in [
        (format!("\"count\": {max},"), "", OutOfRange, "18446744073709551615"),
        (format!("\"count\": {},", max / 2), "", OutOfRange, ""),
        (format!("\"count\": {},", 1_u64 << 61), "", Truncated, "records would end at byte"),
        (format!("\"count\": 1, \"offset\": {max},"), "", OutOfRange, ""),
        (format!("\"offset\": {max},"), "", Corrupt, "before its records"),
        ("\"count\": 2, \"offset\": 63,".into(), "", Truncated, "would end at byte 67"),
        ("\"offset\": 65,".into(), "", Corrupt, "the file ends at byte 64"),
        ("\"stride\": 0,".into(), "", InvalidSchema, "a record has 0 bytes"),
        (format!("\"count\": 1, \"stride\": {max},"), "", InvalidSchema, "18446744073709551615"),
        ("\"stride\": -8,".into(), "", InvalidSchema, "\"stride\" is not a number"),
        ("\"count\": -1,".into(), "", InvalidSchema, "\"count\" is not a number"),
        ("\"count\": 1e300,".into(), "", InvalidSchema, "\"count\" is not a number"),
        ("\"count\": 18446744073709551616,".into(), "", InvalidSchema, "is not a number"),
        ("\"count\": 1,".into(), ", \"offset\": -1", InvalidSchema, "\"offset\" is not a number"),
        ("\"count\": 1,".into(), ", \"offset\": 4294967294", InvalidSchema, "more than 16777216"),
        ("\"count\": 1,".into(), ", \"offset\": 16777216", InvalidSchema, "16777218"),
        ("\"count\": 1,".into(), ", \"array\": 0", InvalidSchema, "a record has 0 bytes"),
        ("\"count\": 1,".into(), ", \"array\": -1", InvalidSchema, "array"),
        ("\"count\": 1,".into(), ", \"array\": 2147483648", InvalidSchema, "16777216"),
        ("\"count\": 1,".into(), ", \"shape\": [65536, 65536]", InvalidSchema, ""),
        ("\"count\": 1,".into(), ", \"colour\": 1", InvalidSchema, "colour"),
        ("\"colour\": 1,".into(), "", InvalidSchema, "colour"),
    ] {
        let json = of(&top, field);
        let error = opened(&file.path, ForeignLayout::from_json(&json, &file.path));
        let error = error.map(|records| records.len()).expect_err(&json);
        assert_says(&error, kind, what);
    }
}

#[test]
fn layout_files_of_any_size_end_with_an_answer() {
    const COUNT: usize = 100_000;
    let file = made([0; 8]);
    for deep in [
        "[".repeat(1_000_000),
        format!("{{ \"fields\": {}", "[{\"fields\":".repeat(100_000)),
        format!("{{ \"offset\": {}", "{\"a\":".repeat(100_000)),
    ] {
        let error = ForeignLayout::from_json(&deep, &file.path).unwrap_err();
        assert_says(&error, InvalidSchema, "not JSON: recursion limit exceeded");
    }
    let field = |id: usize| format!("{{\"name\":\"f{id}\",\"type\":\"uint8\"}}");
    let many: Vec<String> = (0..COUNT).map(field).collect();
    let json = format!("{{\"count\":0,\"fields\":[{}]}}", many.join(","));
    let layout = ForeignLayout::from_json(&json, &file.path).unwrap();
    assert_eq!((layout.schema().fields().len(), layout.stride()), (COUNT, COUNT as u32));
    let twice = json.replacen("\"f7\"", &format!("\"f{}\"", COUNT - 1), 1);
    let error = ForeignLayout::from_json(&twice, &file.path).unwrap_err();
    assert_says(&error, InvalidSchema, "two fields are named");
    let last = format!("\"f{}\",", COUNT - 1);
    let within = json.replacen(&last, &format!("{last}\"offset\":0,"), 1);
    let error = ForeignLayout::from_json(&within, &file.path).unwrap_err();
    assert_says(&error, InvalidSchema, "and the field before it ends at 1");
}

/// Finds a count or a length in a header that is believed before the file's length was asked.
#[test]
fn headers_with_huge_numbers_are_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let max = [0xFF_u8; 8];
    for (name, kind, at, bytes, expected, what) in [
        ("people.dbf", "dbf", 4, &max[..4], Truncated, "4294967295 records would end"),
        ("people.dbf", "dbf", 8, &max[..2], Corrupt, "the file ends within the header"),
        ("people.dbf", "dbf", 10, &max[..2], Corrupt, "records of 65535 bytes"),
        ("people.dbf", "dbf", 10, &[0, 0], Corrupt, "records of 0 bytes"),
        ("points-0.las", "las", 96, &max[..4], Truncated, "would end"),
        ("points-0.las", "las", 100, &max[..4], Corrupt, "4294967295 records before the points"),
        ("points-0.las", "las", 105, &[0, 0], Corrupt, "have 20 bytes, not 0"),
        ("points-0.las", "las", 107, &max[..4], Truncated, "4294967295 records"),
        ("points-6.las", "las", 247, &max[..8], OutOfRange, "18446744073709551615"),
        ("images.idx", "idx", 4, &max[..8], Corrupt, "do not fill the file"),
        ("images.idx", "idx", 3, &max[..1], Corrupt, "the file ends within"),
        ("images.idx", "idx", 8, &[0, 0, 0, 0], Corrupt, "no elements"),
        ("vectors.fvecs", "fvecs", 0, &max[..4], Corrupt, "-1 elements"),
        ("vectors.fvecs", "fvecs", 0, &[0xFF, 0xFF, 0xFF, 0x7F], Corrupt, "before the end"),
        ("matrix.npy", "npy", 8, &max[..2], Corrupt, "it ends within its header"),
    ] {
        let mut whole = std::fs::read(folder.join(name)).unwrap();
        whole[at..at + bytes.len()].copy_from_slice(bytes);
        let file = made(&whole);
        let error = opened(&file.path, ForeignLayout::of_kind(&file.path, kind));
        let error = error.map(|records| records.len()).expect_err(name);
        assert_says(&error, expected, what);
    }
    let whole = std::fs::read(folder.join("events.fits")).unwrap();
    let at = whole.windows(8).position(|it| it == b"BINTABLE").unwrap();
    for (key, value, expected, what) in [
        ("NAXIS2", "9223372036854775807", Corrupt, "past byte 2^63"),
        ("NAXIS2", "99999999999", Truncated, "records would end"),
        ("NAXIS2", "-1", Corrupt, "no NAXIS2, or a negative one"),
        ("NAXIS1", "0", Corrupt, "NAXIS1 is 0"),
        ("TFIELDS", "1000", Corrupt, "a table of 1000 columns"),
        ("NAXIS   ", "999999999", Corrupt, "an array of 999999999 dimensions"),
    ] {
        let card = whole[at..].windows(key.len()).position(|it| it == key.as_bytes()).unwrap() + at;
        let mut other = whole.clone();
        other[card + 8..card + 80].copy_from_slice(format!("= {value:>20}{:50}", "").as_bytes());
        let file = made(&other);
        let error = opened(&file.path, ForeignLayout::of_kind(&file.path, "fits"));
        let error = error.map(|records| records.len()).expect_err(key);
        assert_says(&error, expected, what);
    }
}

/// Finds an opening that waits for the other end of a pipe, or that reads a device for ever.
#[test]
fn what_is_no_regular_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let json = r#"{ "count": 1, "fields": [{ "name": "n", "type": "uint8" }] }"#;
    let mut others = vec![directory.path().to_path_buf()];
    #[cfg(unix)]
    {
        let fifo = directory.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        others.extend([fifo, PathBuf::from("/dev/zero"), PathBuf::from("/dev/null")]);
    }
    for path in &others {
        for layout in [
            ForeignLayout::from_json(json, path).map(Some),
            ForeignLayout::of_kind(path, "utmp").map(Some),
            ForeignLayout::detect(path),
        ] {
            let error = layout.unwrap_err();
            assert_eq!(error.kind(), InvalidArgument, "{error}");
        }
    }
    let empty = made("");
    for kind in ["dbf", "idx", "fvecs", "fits", "las", "npy"] {
        let error = ForeignLayout::of_kind(&empty.path, kind).unwrap_err();
        assert_says(&error, Corrupt, "file");
    }
    assert_eq!(ForeignLayout::of_kind(&empty.path, "utmp").unwrap().count(), 0);
    assert!(ForeignLayout::detect(&empty.path).unwrap().is_none());
}
