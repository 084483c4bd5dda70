//! Files of the frozen format, which its first program made, stay readable for ever.
//!
//! `tests/golden/v1` is checked in and never made again. `golden/cases.rs` computes its content,
//! and `golden/make.rs` shows how it was made.
#![cfg(all(feature = "derive", feature = "text"))]

#[path = "golden/annotated.rs"]
mod annotated;
#[path = "golden/cases.rs"]
mod cases;
#[path = "golden/make.rs"]
mod make;
#[path = "golden/python.rs"]
mod python;
#[path = "golden/versions.rs"]
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use cases::{CASES, Case, Row, row, row_bytes};
use flatrec::{
    Checksums, Database, Durability, DynDatabase, DynStore, ErrorKind, OpenOptions, ReadOptions,
    Store, StoreInfo, VerifyOptions, WindowedStore, verify,
};
use tempfile::TempDir;

/// Every golden file: its length in bytes and its CRC-32C.
const FILES: [(&str, usize, u32); 12] = [
    ("annotated/store.rec", 67676, 0x77dc_4790),
    ("deletes/store.rec", 71136, 0x2a1b_fa45),
    ("editing/store.rec", 68608, 0x8c98_9976),
    ("log/store.rec", 127248, 0x408d_e527),
    ("log/store.rec-sum", 4096, 0xb786_64b1),
    ("log/store.rec-wal-1", 65536, 0x2dce_aeaf),
    ("log/store.rec-wal-2", 131072, 0xce3e_a1d5),
    ("plain/store.rec", 73536, 0x9826_09e7),
    ("sums/store.rec", 204736, 0x73fb_ebbc),
    ("sums/store.rec-sum", 536, 0x6b8c_efc8),
    ("torn/store.rec", 75616, 0xa22a_8c23),
    ("torn/store.rec-wal-1", 65536, 0xd838_ff91),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// Copies the files of a case, and returns the path of the store.
fn copy(case: &str) -> (TempDir, PathBuf) {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder().join(case)).unwrap() {
        let entry = entry.unwrap();
        // Reads and writes the bytes: a copied file would keep its read-only mode.
        fs::write(copy.path().join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
    let path = copy.path().join("store.rec");
    (copy, path)
}

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap()
}

/// The options to open a case, which may have the mark of an edit.
fn options<H>(case: &Case, options: OpenOptions<H>) -> OpenOptions<H> {
    options.accept_interrupted_edit(case.editing)
}

/// As [`options`], to read.
fn read_options<H>(case: &Case, options: ReadOptions<H>) -> ReadOptions<H> {
    options.accept_interrupted_edit(case.editing)
}

/// Finds a golden file that was made again, which would hide a change of the format.
#[test]
fn golden_files_never_change() {
    let mut found = Vec::new();
    for case in fs::read_dir(folder()).unwrap() {
        for file in fs::read_dir(case.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push((name, bytes.len(), crc32c::crc32c(&bytes)));
        }
    }
    found.sort();
    let found: Vec<_> = found.iter().map(|(name, len, crc)| (&name[..], *len, *crc)).collect();
    assert_eq!(found, FILES, "a golden file changed, or a new one is not in the list");
}

/// Checks what `info` says of a case.
fn check_info(case: &Case, info: &StoreInfo) {
    let name = case.name;
    let live = case.live().count() as u64;
    assert_eq!((info.count, info.live_count), (case.count, live), "{name}");
    for slot in &info.slots {
        let flatrec::SlotInfo::Valid { count, .. } = slot else { panic!("{name}: {slot:?}") };
        assert_eq!(*count, case.committed_count, "{name}: {slot:?}");
    }
    assert_eq!((info.deletes, info.free_head), (case.deletes, case.free_head), "{name}");
    let stride = if case.deletes { 56 } else { 48 };
    assert_eq!((info.record_size, info.stride, info.data_offset), (48, stride, 65_536), "{name}");
    assert_eq!((info.commit_id.get(), info.editing), (case.commit, case.editing), "{name}");
    let log = info.log.as_ref().map(|log| (log.commits, log.segments, log.records));
    assert_eq!(log, case.log.map(|(commits, segments)| (commits, segments, case.logged)), "{name}");
    let checksums = match case.blocks {
        Some(blocks) => Checksums::Present { blocks },
        None => Checksums::Absent,
    };
    assert_eq!(info.checksums, checksums, "{name}");
}

/// The record, unless it was deleted.
fn shown<R: ?Sized>(found: flatrec::Result<&R>) -> Option<&R> {
    match found {
        Err(error) if error.kind() == ErrorKind::Deleted => None,
        found => Some(found.unwrap()),
    }
}

/// Finds a change after which old files are read otherwise.
#[test]
fn every_record_is_read_by_a_schema_found_in_the_file() {
    for case in &CASES {
        let (_directory, path) = copy(case.name);
        let store = read_options(case, DynStore::read_options()).open_read_only(&path).unwrap();
        check_info(case, &store.info().unwrap());
        assert_eq!(store.metadata().unwrap(), case.metadata.as_bytes(), "{}", case.name);
        for id in 0..case.count {
            let expected = (case.version)(id).map(|version| row_bytes(id, version));
            assert_eq!(shown(store.try_get(id)), expected.as_deref(), "{}, {id}", case.name);
            assert_eq!(store.copy(id).unwrap(), expected, "{}, {id}", case.name);
        }
        assert_eq!(store.get(case.count), None);
        let expected = case.live().map(|(id, version)| (id, row_bytes(id, version)));
        let found = store.try_iter().map(|found| found.unwrap());
        assert!(found.map(|(id, record)| (id, record.to_vec())).eq(expected), "{}", case.name);
    }
}

/// Finds a change after which old files do not fit their types.
#[test]
fn every_record_is_read_as_a_rust_type() {
    for case in &CASES {
        let (_directory, path) = copy(case.name);
        let store = read_options(case, Store::<Row>::read_options()).open_read_only(&path).unwrap();
        let windowed = read_options(case, WindowedStore::<Row>::read_options());
        let windowed = windowed.open_read_only(&path).unwrap();
        let read = |store: &WindowedStore<Row>, id| store.copy(id).unwrap();
        for id in 0..case.count {
            let expected = (case.version)(id).map(|version| row(id, version));
            assert_eq!(shown(store.try_get(id)).copied(), expected, "{}, {id}", case.name);
            assert_eq!(read(&windowed, id), expected, "{}, {id}", case.name);
        }
    }
}

/// Finds a recovery that changes the meaning of an old log.
#[test]
fn a_snapshot_shows_every_record_and_a_close_loses_none() {
    for case in &CASES {
        let (_directory, path) = copy(case.name);
        let database = options(case, Database::<Row>::options()).open(&path).unwrap();
        assert_eq!(database.metadata().unwrap(), case.metadata.as_bytes(), "{}", case.name);
        let snapshot = database.begin_read().unwrap();
        assert_eq!(snapshot.count(), case.count, "{}", case.name);
        let expected = case.live().map(|(id, version)| (id, row(id, version)));
        assert!(snapshot.iter().map(|(id, found)| (id, *found)).eq(expected), "{}", case.name);
        drop(snapshot);
        database.close().unwrap();
        check_records(case, &path, &[]);
    }
}

/// Checks the closed store of a case with these changes.
fn check_records(case: &Case, path: &Path, changed: &[(u64, Option<u32>)]) {
    let report = verify(path, VerifyOptions::new()).unwrap();
    assert_eq!(report.problems, [], "{}", case.name);
    assert_eq!(report.commits_in_log, 0, "{}", case.name);
    let store = DynStore::open_read_only(path).unwrap();
    assert_eq!(store.metadata().unwrap(), case.metadata.as_bytes(), "{}", case.name);
    let count = changed.iter().map(|(id, _)| id + 1).fold(case.count, u64::max);
    assert_eq!(store.count(), count, "{}", case.name);
    let mut live = 0;
    for id in 0..count {
        let version = match changed.iter().rfind(|(changed, _)| *changed == id) {
            Some((_, version)) => *version,
            None => (case.version)(id),
        };
        live += u64::from(version.is_some());
        let expected = version.map(|version| row_bytes(id, version));
        assert_eq!(shown(store.try_get(id)), expected.as_deref(), "{}, {id}", case.name);
    }
    assert_eq!(store.live_count(), live, "{}", case.name);
    let blocks = store.info().unwrap().checksums;
    assert_eq!(matches!(blocks, Checksums::Present { .. }), case.blocks.is_some(), "{blocks:?}");
}

/// Finds a writer that cannot continue an old file or log.
#[test]
fn transactions_continue_old_files() {
    for case in &CASES {
        let (_directory, path) = copy(case.name);
        let database = options(case, DynDatabase::options()).open(&path).unwrap();
        let mut transaction = database.begin_write().unwrap();
        let added = transaction.append(&row_bytes(case.count, 70)).unwrap();
        assert_eq!(added, case.count, "{}", case.name);
        transaction.set(1, &row_bytes(1, 71)).unwrap();
        let mut changed = vec![(added, Some(70)), (1, Some(71))];
        if let Some(free) = case.free_head {
            assert_eq!(transaction.insert(&row_bytes(free, 72)).unwrap(), free, "{}", case.name);
            assert!(transaction.delete(2).unwrap(), "{}", case.name);
            changed.extend([(free, Some(72)), (2, None)]);
        }
        let receipt = transaction.commit(Durability::Immediate).unwrap();
        assert_eq!(receipt.commit_id().get(), case.commit + 1, "{}", case.name);
        database.close().unwrap();
        check_records(case, &path, &changed);
    }
}

/// Finds an exclusive writer that cannot continue an old file.
#[test]
fn a_store_without_a_log_continues_old_files() {
    for case in &CASES {
        let (_directory, path) = copy(case.name);
        let mut store = options(case, Store::<Row>::options()).open(&path).unwrap();
        assert_eq!(store.append(&row(case.count, 80)).unwrap(), case.count, "{}", case.name);
        store.flush().unwrap();
        store.close().unwrap();
        check_records(case, &path, &[(case.count, Some(80))]);
    }
}

/// Finds a `verify` that reports other problems of old files than their interrupted edits.
#[test]
fn verify_reports_only_interrupted_edits_of_old_files() {
    for case in &CASES {
        let (_directory, path) = copy(case.name);
        let report = verify(&path, VerifyOptions::new()).unwrap();
        let live = case.live().count() as u64;
        assert_eq!((report.records, report.deleted), (live, case.count - live), "{}", case.name);
        assert_eq!(report.commits_in_log, case.log.map_or(0, |(commits, _)| commits));
        let doubts: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        if case.editing {
            assert!(doubts.len() == 1 && doubts[0].contains("interrupted"), "{doubts:?}");
        } else {
            assert_eq!(doubts, [""; 0], "{}", case.name);
        }
    }
}

/// Finds a change after which a handle overlooks the mark of an edit in an old file.
#[test]
fn an_interrupted_edit_is_refused_until_the_caller_accepts_it() {
    let (_directory, path) = copy("editing");
    for refused in [
        DynStore::open_read_only(&path).map(drop),
        DynStore::open(&path).map(drop),
        DynDatabase::open(&path).map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InterruptedEdit);
    }
}

/// Finds a handle that shows a torn commit, which was never acknowledged, or that does not use its
/// number again.
#[test]
fn a_torn_commit_is_dropped_and_its_number_is_used_again() {
    let (_directory, path) = copy("torn");
    let log = fs::read(path.with_file_name("store.rec-wal-1")).unwrap();
    let torn = 4u64.to_le_bytes();
    let number = |sector: &[u8]| sector.starts_with(b"FWB1") && sector[40..48] == torn;
    assert!(log.chunks(512).any(number), "the log has no part of commit 4");
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(store.info().unwrap().commit_id.get(), case("torn").commit);
    assert_eq!(store.get(100), Some(&row_bytes(100, 0)[..]));
}

/// A commit of a store without deletes has no free list. Finds a replay that accepts one, whose
/// header would then break the rules.
#[test]
fn a_log_that_deletes_records_of_a_store_without_deletes_is_corrupt() {
    for (at, value) in [(64, 209_u64), (72, 3)] {
        let (_directory, path) = copy("torn");
        let segment = path.with_file_name("store.rec-wal-1");
        let mut log = fs::read(&segment).unwrap();
        let newest = 3u64.to_le_bytes();
        let number = |sector: &[u8]| sector.starts_with(b"FWB1") && sector[40..48] == newest;
        let start = log.chunks(512).position(number).unwrap() * 512;
        log[start + at..start + at + 8].copy_from_slice(&value.to_le_bytes());
        let len = u64::from_le_bytes(log[start + 8..start + 16].try_into().unwrap());
        let end = start + 128 + usize::try_from(len).unwrap();
        let crc = crc32c::crc32c(&log[start + 8..end]).to_le_bytes();
        log[start + 4..start + 8].copy_from_slice(&crc);
        fs::write(&segment, log).unwrap();
        for refused in
            [DynStore::open_read_only(&path).map(drop), DynDatabase::open(&path).map(drop)]
        {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains("without deletes"), "{error}");
        }
    }
}

/// Finds a type of value in old files that a handle reads differently.
#[test]
fn every_kind_of_value_is_read() {
    let (_directory, path) = copy("plain");
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(store.schema(), &cases::every_kind());
    assert_eq!(store.metadata().unwrap(), cases::PLAIN_METADATA);
    assert_eq!((store.count(), store.info().unwrap().commit_id.get()), (cases::PLAIN_COUNT, 1));
    let check = |record: &[u8], id: u64| {
        for (place, field) in (0..).zip(store.schema().fields()) {
            let found = field.read(record).unwrap();
            match cases::elements(field, place, id) {
                None => assert_eq!(found, flatrec::Value::Null, "{id}, {}", field.name()),
                Some(expected) if field.array_len().is_none() => {
                    assert_eq!(found, expected[0], "{id}, {}", field.name());
                }
                Some(expected) => {
                    let flatrec::Value::Array(found) = found else { panic!("{found:?}") };
                    let found: Vec<_> = found.iter().map(Result::unwrap).collect();
                    assert_eq!(found, expected, "{id}, {}", field.name());
                }
            }
        }
    };
    for id in 0..store.count() {
        check(store.get(id).unwrap(), id);
    }
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
    let last = store.get(cases::PLAIN_COUNT - 1).unwrap().to_vec();
    let first = store.get(0).unwrap().to_vec();
    // A transaction writes to it as to any other.
    let (_directory, path) = copy("plain");
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&first).unwrap();
    transaction.set(0, &last).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
    let written = DynStore::open_read_only(&path).unwrap();
    for id in 0..=cases::PLAIN_COUNT {
        let expected = match id {
            0 => cases::PLAIN_COUNT - 1,
            cases::PLAIN_COUNT => 0,
            id => id,
        };
        check(written.get(id).unwrap(), expected);
    }
    assert_eq!(written.metadata().unwrap(), cases::PLAIN_METADATA);
}
