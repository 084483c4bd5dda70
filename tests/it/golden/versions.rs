//! Every handle refuses a file of another version and names that version.

use std::fs;
use std::path::Path;

use flatrec::{Checksums, DynDatabase, DynStore, ErrorKind, VerifyOptions, verify};

use super::copy;

/// Changes the version in the sector at `offset` of a side file or the data file, with a correct
/// checksum.
fn set_version(path: &Path, suffix: &str, offset: usize, version: u8) {
    let file = path.with_file_name(format!("store.rec{suffix}"));
    let mut bytes = fs::read(&file).unwrap();
    let sector = &mut bytes[offset..offset + 512];
    assert_eq!(sector[8..12], [1, 0, 0, 0], "the sector is not of version 1");
    sector[8] = version;
    let crc = crc32c::crc32c(&sector[..508]).to_le_bytes();
    sector[508..].copy_from_slice(&crc);
    fs::write(file, bytes).unwrap();
}

const EXPECTED: [(u8, &str, &str); 3] = [
    (0, "format version 0, from before the format was frozen", "the program that wrote it"),
    (2, "format version 2; this program knows version 1", "newer version"),
    (255, "format version 255; this program knows version 1", "newer version"),
];

/// Finds a handle that reads a file of another version as one of its own.
#[test]
fn another_version_of_the_file_or_of_its_log_is_refused_by_name() {
    for (suffix, offset) in [("", 0), ("", 4096), ("-wal-1", 0), ("-wal-2", 0)] {
        for (version, what, advice) in EXPECTED {
            let (_directory, path) = copy("log");
            set_version(&path, suffix, offset, version);
            for refused in [
                DynStore::open_read_only(&path).map(drop),
                DynStore::open(&path).map(drop),
                DynDatabase::open(&path).map(drop),
            ] {
                let error = refused.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{suffix}: {error}");
                let text = error.to_string();
                assert!(text.contains(what) && text.contains(advice), "{suffix}: {text}");
            }
            let report = verify(&path, VerifyOptions::new()).unwrap();
            assert!(report.problems.iter().any(|doubt| doubt.what.contains(what)), "{report:?}");
        }
    }
}

/// Finds a writer that updates checksums of an unknown version, or a reader that refuses the store
/// because of them.
#[test]
fn a_writer_refuses_another_version_of_the_checksums() {
    for (version, what, _) in EXPECTED {
        let (_directory, path) = copy("sums");
        set_version(&path, "-sum", 0, version);
        let store = DynStore::open_read_only(&path).unwrap();
        let why = format!("its version is {version}");
        assert_eq!(store.info().unwrap().checksums, Checksums::Damaged(why));
        drop(store);
        for refused in [DynStore::open(&path).map(drop), DynDatabase::open(&path).map(drop)] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{error}");
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}

/// Finds a handle that takes a version damaged by the disk for another version.
#[test]
fn a_version_without_its_checksum_is_damage() {
    let (_directory, path) = copy("plain");
    let mut bytes = fs::read(&path).unwrap();
    for offset in [0, 4096] {
        bytes[offset + 8] = 2;
    }
    fs::write(&path, bytes).unwrap();
    assert_eq!(DynStore::open_read_only(&path).unwrap_err().kind(), ErrorKind::Corrupt);
}
