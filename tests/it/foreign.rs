//! Foreign files that other programs wrote, with the values that other programs read from them:
//! `tests/foreign/make.py` made both.

use std::path::{Path, PathBuf};

use flatrec::exchange::CsvWriter;
use flatrec::foreign::{ForeignFile, ForeignKind, ForeignLayout};
use flatrec::{DynStore, ErrorKind, Field};

use crate::support::random::Random;

#[path = "../support/fuzzed/foreign_file.rs"]
#[allow(dead_code, reason = "the test chooses the kinds itself")]
mod foreign_file;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

/// All records as CSV: these columns, or all.
fn csv(file: &ForeignFile, columns: &[&str]) -> String {
    let fields: Vec<Field> = match columns {
        [] => file.schema().fields().to_vec(),
        _ => columns.iter().map(|name| file.schema().field(name).unwrap().clone()).collect(),
    };
    let mut writer = CsvWriter::new(Vec::new(), &fields, b',');
    writer.header().unwrap();
    let mut copies = file.copies(..);
    while let Some((id, record)) = copies.next_record().unwrap() {
        writer.write_numbered(id, record).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// Compares a file with its values, in place and decoded. Without a kind it must be found by its
/// first bytes.
#[track_caller]
fn check(name: &str, kind: Option<&str>, expected: ForeignKind, columns: &[&str]) -> ForeignFile {
    let path = folder().join(name);
    let layout = match kind {
        Some(kind) => ForeignLayout::of_kind(&path, kind).unwrap(),
        None => ForeignLayout::detect(&path).unwrap().expect("a kind with a magic"),
    };
    assert_eq!(layout.kind(), expected, "{name}");
    let suffix = kind.and_then(|kind| kind.split_once(':'));
    let values = suffix.map_or(format!("{name}.csv"), |(_, which)| format!("{name}-{which}.csv"));
    let values = std::fs::read_to_string(folder().join(values)).unwrap();
    let file = ForeignFile::open(&path, &layout).unwrap();
    assert_eq!(csv(&file, columns), values, "{name}");
    let native = ForeignFile::open(&path, &layout.into_native().unwrap()).unwrap();
    assert_eq!(csv(&native, columns), values, "{name}, decoded");
    let is_little = |field: &Field| !field.is_big_endian();
    assert!(native.schema().fields().iter().all(is_little), "{name}");
    file
}

#[test]
fn dbase_tables_are_read_as_dbfread_reads_them() {
    let file = check("people.dbf", None, ForeignKind::Dbf, &[]);
    assert_eq!((file.count(), file.copy(2).unwrap()), (4, None), "record 2 is deleted");
    assert!(file.layout().facts().contains(&("code page", "cp1252".to_owned())));
    let latin = ForeignLayout::of_kind(file.path(), "dbf:cp437").unwrap();
    let other = ForeignFile::open(file.path(), &latin).unwrap();
    assert!(csv(&other, &["NAME"]).contains("Zoδ M\u{207f}ller"));
}

#[test]
fn arrays_are_read_as_numpy_reads_them() {
    check("images.idx", None, ForeignKind::Idx, &[]);
    check("labels.idx", None, ForeignKind::Idx, &[]);
    check("vectors.fvecs", Some("fvecs"), ForeignKind::Fvecs, &[]);
    check("vectors.bvecs", Some("bvecs"), ForeignKind::Bvecs, &[]);
    check("vectors.ivecs", Some("ivecs"), ForeignKind::Ivecs, &[]);
}

#[test]
fn arrays_of_numpy_are_read_in_place_as_numpy_reads_them() {
    let file = check("records.npy", None, ForeignKind::Npy, &[]);
    assert_eq!((file.count(), file.layout().stride()), (2, 136));
    assert!(file.layout().has_decoder(), "times that are no time");
    let matrix = check("matrix.npy", None, ForeignKind::Npy, &[]);
    assert!(!matrix.layout().has_decoder(), "big-endian integers need none");
    let field = &matrix.schema().fields()[0];
    assert_eq!(field.to_string(), "value: int32[6] big-endian at 0");
    assert_eq!(field.shape(), [3, 2]);
    let whole = std::fs::read(matrix.path()).unwrap();
    assert_eq!(matrix.copy(1).unwrap().unwrap(), whole[whole.len() - 24..]);
}

/// An array of two rows, whose header has these entries, with `bytes` behind it.
fn array(descr: &str, fortran_order: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let text =
        format!("{{'descr': {descr}, 'fortran_order': {fortran_order}, 'shape': {shape}, }}\n");
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\0", &len[..], text.as_bytes(), bytes].concat()
}

/// Finds an array whose rows do not lie in the file as a layout says, and an error without advice.
#[test]
fn arrays_without_rows_in_place_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("array.npy");
    use ErrorKind::{Corrupt, InvalidSchema, OutOfRange, Truncated, UnsupportedFormat};
    let bytes = [7; 24];
    for (descr, order, shape, kind, what) in [
        ("'<i4'", "True", "(2, 3)", UnsupportedFormat, "numpy.ascontiguousarray(array)"),
        ("'|O'", "False", "(2,)", UnsupportedFormat, "Python objects"),
        ("'<c8'", "False", "(3,)", UnsupportedFormat, "array.real"),
        ("'<f4'", "False", "()", UnsupportedFormat, "array.reshape(1)"),
        ("[('a', '<i4')]", "False", "(2, 3)", UnsupportedFormat, "array.ravel()"),
        ("'<i4'", "False", "(2, 0)", UnsupportedFormat, "no values"),
        ("'<i4'", "False", "(5,)", Corrupt, "after the last row"),
        ("'<i4'", "False", "(7,)", Truncated, "7 records would end at"),
        ("'<i4'", "False", "(9223372036854775807,)", OutOfRange, "9223372036854775807"),
        ("'<i4'", "False", "(-1,)", Corrupt, "other than lengths"),
        ("'<i4'", "False", "(1, 4294967295)", InvalidSchema, "17179869180 bytes"),
        ("'<i4'", "False", "(1, 4294967296)", UnsupportedFormat, "no values"),
        ("[('a', '<i4'), ('a', '<i4')]", "False", "(3,)", InvalidSchema, "named \"a\""),
        ("[('', '|V4294967295'), ('', '|V4294967295')]", "False", "(1,)", InvalidSchema, "bytes"),
        ("'<i4", "False", "(6,)", Corrupt, "its header, at character 18"),
    ] {
        std::fs::write(&path, array(descr, order, shape, &bytes)).unwrap();
        let opened = ForeignLayout::detect(&path)
            .and_then(|layout| ForeignFile::open(&path, &layout.expect("it has the magic")));
        let error = opened.unwrap_err();
        let text = error.to_string();
        assert!(error.kind() == kind && text.contains(what), "{descr} {shape}: {text}");
        assert!(text.contains("array.npy"), "{text}");
    }
    // One dimension has one order, and an array of no rows has places for none.
    for (descr, order, shape, rows) in
        [("'<i4'", "True", "(6,)", 6), ("[('a', '<i8'), ('', '|V4')]", "False", "(2,)", 2)]
    {
        std::fs::write(&path, array(descr, order, shape, &bytes)).unwrap();
        let layout = ForeignLayout::detect(&path).unwrap().unwrap();
        assert_eq!(ForeignFile::open(&path, &layout).unwrap().count(), rows, "{descr}");
    }
    std::fs::write(&path, array("'<M8[D]'", "False", "(0,)", &[])).unwrap();
    let layout = ForeignLayout::of_kind(&path, "npy").unwrap();
    assert_eq!(csv(&ForeignFile::open(&path, &layout).unwrap(), &[]), "value\n");
}

#[test]
fn fits_tables_are_read_as_astropy_reads_them() {
    let file = check("events.fits", None, ForeignKind::Fits, &[]);
    assert!(file.layout().facts().contains(&("extension name", "EVENTS".to_owned())));
    check("events.fits", Some("fits:OTHER"), ForeignKind::Fits, &[]);
    let error = ForeignLayout::of_kind(file.path(), "fits:NONE").unwrap_err();
    assert!(error.to_string().contains("its binary tables are 2 (EVENTS), 3 (OTHER)"), "{error}");
}

#[test]
fn points_of_lasers_are_read_as_laspy_reads_them() {
    for format in 0..=10 {
        let file = check(&format!("points-{format}.las"), None, ForeignKind::Las, &[]);
        let scales: Vec<_> = file.schema().fields()[..3].iter().map(Field::scale).collect();
        assert_eq!(scales, [Some(2), None, None], "an offset, and a scale of 0.5");
    }
    let path = folder().join("points-3.las");
    let layout = ForeignLayout::of_kind(&path, "las").unwrap();
    let extra = |name: &str| layout.schema().field(name).unwrap();
    assert_eq!(extra("vector").array_len(), Some(3));
    assert_eq!((extra("scaled").scale(), extra("moved").scale()), (Some(2), None));
    let fact = ("scale and offset of extra fields", "scaled 0.01, 0; moved 0.01, 5".to_owned());
    assert!(layout.facts().contains(&fact), "{:?}", layout.facts());
}

#[test]
fn logins_are_read_as_utmpdump_reads_them() {
    let columns = ["type", "pid", "line", "id", "user", "host", "time", "addr"];
    let file = check("logins.wtmp", Some("utmp"), ForeignKind::Utmp, &columns);
    assert!(csv(&file, &["exit_termination", "exit_status"]).ends_with("\n15,1\n"));
    assert!(ForeignLayout::detect(file.path()).unwrap().is_none(), "logins have no magic");
}

#[test]
fn batches_of_images_have_their_labels_and_pixels() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data_batch_1.bin");
    let mut batch = vec![0; 2 * 3073];
    (batch[0], batch[1], batch[3072]) = (3, 200, 100);
    batch[3073] = 9;
    std::fs::write(&path, &batch).unwrap();
    let layout = ForeignLayout::of_kind(&path, "cifar10").unwrap();
    let file = ForeignFile::open(&path, &layout).unwrap();
    assert_eq!(csv(&file, &["label"]), "label\ncat\ntruck\n");
    let image = csv(&file, &["image"]);
    assert!(image.starts_with("image\n\"[[[200,0,") && image.contains(",100]]]\""));
    batch.resize(3074, 7);
    std::fs::write(&path, &batch).unwrap();
    assert!(ForeignLayout::of_kind(&path, "cifar10").is_err(), "a part of a record");
    let layout = ForeignLayout::of_kind(&path, "cifar100").unwrap();
    let file = ForeignFile::open(&path, &layout).unwrap();
    assert_eq!(csv(&file, &["coarse_label", "fine_label"]), "coarse_label,fine_label\n3,200\n");
}

/// Finds a store, or a file of text, that is taken for a foreign file.
#[test]
fn other_files_are_not_foreign_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other");
    for bytes in [
        &b""[..],
        b"\0",
        b"\x03",
        b"a,b\n1,2\n",
        b"\x03\x18\x01\x01\0\0\0\0",
        b"\0\0\x08\x01\0\0\0\x05abc",
        b"id;name\n",
        b"\x89FLATREC",
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert!(ForeignLayout::detect(&path).unwrap().is_none(), "{bytes:?}");
    }
    let schema = flatrec::Schema::packed([Field::new("n", flatrec::DataType::UInt8)]).unwrap();
    let store = directory.path().join("store.rec");
    DynStore::create(&store, &schema).unwrap().close().unwrap();
    assert!(ForeignLayout::detect(&store).unwrap().is_none());
}

/// Finds damage that ends the program, or that makes a record of bytes outside of the file.
#[test]
fn damaged_files_are_errors_or_have_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged");
    let kinds = [
        ("people.dbf", "dbf"),
        ("images.idx", "idx"),
        ("vectors.fvecs", "fvecs"),
        ("events.fits", "fits"),
        ("logins.wtmp", "utmp"),
        ("points-3.las", "las"),
        ("points-10.las", "las"),
        ("records.npy", "npy"),
    ];
    for (name, kind) in kinds {
        let whole = std::fs::read(folder().join(name)).unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let _ = ForeignLayout::detect(&path);
            let layout = ForeignLayout::of_kind(&path, kind)?;
            foreign_file::read(&path, &layout)
        };
        let records = read(&whole).unwrap();
        // Where no byte follows the records, a shorter file has fewer or is an error.
        for len in (0..whole.len()).step_by(whole.len() / 64 + 1) {
            let fewer = read(&whole[..len]).map_or(0, |records| records);
            assert!(fewer <= records, "{name} of {len} bytes");
        }
        let mut random = Random::new(7);
        for round in 0..200 {
            let mut damaged = whole.clone();
            // Half of the damage meets the header.
            let bound = if round % 2 == 0 { whole.len().min(300) } else { whole.len() };
            let at = random.below(bound as u64) as usize;
            damaged[at] ^= 1 + random.below(255) as u8;
            let _ = read(&damaged);
        }
    }
}
