//! Stores with deletes: making, reading, appending, editing and verifying them.

use std::path::{Path, PathBuf};

use flatrec::{
    DataType, Durability, DynDatabase, DynStore, ErrorKind, Field, PodRecord, Schema, Store, Value,
    VerifyOptions, WindowedStore, verify,
};

use crate::support::dead;

/// A record of 12 bytes with an alignment of 4, so its stride is 16.
fn schema() -> Schema {
    let fields = [
        Field::new("n", DataType::UInt32).at(0),
        Field::new("name", DataType::Utf8(7)).at(4),
        Field::new("flag", DataType::Bool).at(11),
    ];
    Schema::new(fields.to_vec(), 12, 4).unwrap()
}

fn record(n: u32) -> [u8; 12] {
    let mut record = [0; 12];
    record[..4].copy_from_slice(&n.to_le_bytes());
    record[4..7].copy_from_slice(b"abc");
    record[11] = 1;
    record
}

/// Makes a closed store of records 0 to `count` - 1.
fn numbers(directory: &Path, count: u32) -> PathBuf {
    let path = directory.join("numbers.rec");
    let mut store = DynStore::create_options().deletes(true).create(&path, &schema()).unwrap();
    let records: Vec<[u8; 12]> = (0..count).map(record).collect();
    store.append_packed(records.as_flattened()).unwrap();
    store.close().unwrap();
    path
}

fn set_byte(path: &Path, at: u64, byte: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] = byte;
    std::fs::write(path, bytes).unwrap();
}

fn doubts(path: &Path) -> Vec<String> {
    verify(path, VerifyOptions::new()).unwrap().problems.iter().map(ToString::to_string).collect()
}

/// Finds a change of the bytes that other programs read.
#[test]
fn records_have_a_status_byte_behind_them_and_zeros_up_to_the_alignment() {
    let directory = tempfile::tempdir().unwrap();
    // More records than the append buffer holds, then one by one.
    let path = numbers(directory.path(), 50_000);
    let mut store = DynStore::open(&path).unwrap();
    for n in 50_000..50_010 {
        assert_eq!(store.append(&record(n)).unwrap(), u64::from(n));
        assert_eq!(store.get(u64::from(n)), Some(&record(n)[..]), "record {n} in the buffer");
    }
    assert_eq!((store.count(), store.live_count()), (50_010, 50_010));
    store.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let slots = bytes[65_536..].chunks_exact(16);
    assert_eq!(slots.len(), 50_010);
    for (n, slot) in (0..).zip(slots) {
        assert_eq!((&slot[..12], &slot[12..]), (&record(n)[..], &[1, 0, 0, 0][..]), "record {n}");
    }
    let info = DynStore::open_read_only(&path).unwrap().info().unwrap();
    assert!(info.deletes);
    assert_eq!((info.record_size, info.stride, info.live_count), (12, 16, 50_010));
    assert_eq!(doubts(&path), [""; 0]);
}

/// Finds a free list that does not fit into its records.
#[test]
fn records_under_8_bytes_cannot_be_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("small.rec");
    let small = Schema::packed([Field::new("bytes", DataType::Binary(7))]).unwrap();
    let error = DynStore::create_options().deletes(true).create(&path, &small).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSchema);
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        0,
        "the refused call left a file"
    );
    let error =
        Store::<PodRecord<[u8; 7]>>::create_options().deletes(true).create(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSchema);
    let enough = Schema::packed([Field::new("bytes", DataType::Binary(8))]).unwrap();
    DynStore::create_options().deletes(true).create(&path, &enough).unwrap();
}

/// Finds a way to read that shows a deleted record.
#[test]
fn no_call_reads_a_deleted_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 10);
    dead::delete(&path, &[0, 3, 4, 9]);
    let mut store = DynStore::open(&path).unwrap();
    store.append(&record(10)).unwrap();
    assert_eq!((store.count(), store.live_count(), store.is_empty()), (11, 7, false));
    for id in 0..12 {
        let lives = !matches!(id, 0 | 3 | 4 | 9 | 11);
        let expected = lives.then(|| record(u32::try_from(id).unwrap()));
        assert_eq!(store.get(id), expected.as_ref().map(|it| &it[..]), "record {id}");
        match (store.try_get(id), expected) {
            (Ok(found), expected) => assert_eq!(found, expected.unwrap(), "record {id}"),
            (Err(error), None) => {
                let kind = if id == 11 { ErrorKind::OutOfRange } else { ErrorKind::Deleted };
                assert_eq!((error.kind(), error.record_number()), (kind, Some(id)));
            }
            (Err(error), Some(_)) => panic!("record {id}: {error}"),
        }
    }
    let n = |record: &[u8]| u32::from_le_bytes(record[..4].try_into().unwrap());
    let all = [1, 2, 5, 6, 7, 8, 10];
    assert!(store.iter().map(|(_, record)| n(record)).eq(all));
    assert!(store.iter().rev().map(|(_, record)| n(record)).eq(all.into_iter().rev()));
    assert!(store.range(3..9).map(|(_, record)| n(record)).eq([5, 6, 7, 8]));
    assert_eq!(store.iter().nth(3).map(|(id, record)| (id, n(record))), Some((6, 6)));
    assert_eq!(store.iter().fold(0, |sum, (_, record)| sum + n(record)), 39);
    assert_eq!(store.range(3..5).next(), None);
    assert_eq!(store.iter().size_hint(), (0, Some(11)));
    let ids: Vec<u64> = store.try_range(2..100).map(|found| found.unwrap().0).collect();
    assert_eq!(ids, [2, 5, 6, 7, 8, 10]);
    assert!(store.try_iter().all(|found| found.is_ok_and(|(id, r)| id == u64::from(n(r)))));
}

type Twelve = PodRecord<[u8; 12]>;

fn open_windowed(path: &Path) -> WindowedStore<Twelve> {
    WindowedStore::options().max_mapped_bytes(256 << 10).window_bytes(64 << 10).open(path).unwrap()
}

/// Finds a handle that shows a deleted record.
#[test]
fn typed_and_windowed_stores_skip_deleted_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("typed.rec");
    let mut store = Store::<Twelve>::create_options().deletes(true).create(&path).unwrap();
    let records: Vec<Twelve> = (0..30_000).map(|n| PodRecord(record(n))).collect();
    store.append_slice(&records).unwrap();
    assert_eq!(store.slice(0..2), None, "records with status bytes between them are not a slice");
    store.close().unwrap();
    let dead: Vec<u64> = (0..30_000).filter(|id| id % 7 == 0).collect();
    dead::delete(&path, &dead);

    let live = || (0..30_000).filter(|id| id % 7 != 0);
    let store = Store::<Twelve>::open_read_only(&path).unwrap();
    assert!(
        store.get(7).is_none() && store.copy(7).unwrap().is_none() && store.slice(1..2).is_none()
    );
    assert_eq!(store.get(8), Some(&PodRecord(record(8))));
    assert!(store.iter().map(|(_, record)| *record).eq(live().map(|id| PodRecord(record(id)))));
    assert!(store.iter().rev().eq(store.iter().collect::<Vec<_>>().into_iter().rev()));
    assert_eq!(store.iter().nth(6), Some((8, &PodRecord(record(8)))));
    assert_eq!(store.range(7..8).next(), None);
    let ids = store.try_iter().map(|found| found.unwrap().0);
    assert!(ids.eq(live().map(u64::from)));
    drop(store);

    let mut store = open_windowed(&path);
    store.append(&PodRecord(record(30_000))).unwrap();
    assert_eq!(store.live_count(), 30_001 - dead.len() as u64);
    assert!(store.get(7).unwrap().is_none() && store.get(30_001).unwrap().is_none());
    assert_eq!(*store.get(8).unwrap().unwrap(), PodRecord(record(8)));
    assert_eq!(*store.get(30_000).unwrap().unwrap(), PodRecord(record(30_000)));
    let window = store.window(20_000).unwrap().unwrap();
    for id in window.ids() {
        let expected = (id % 7 != 0).then(|| PodRecord(record(u32::try_from(id).unwrap())));
        assert_eq!(window.get(id).copied(), expected, "record {id}");
    }
    drop(window);
    let remaps = store.view_counters().remaps;
    let found: Vec<Twelve> = store.iter().map(|found| found.unwrap().1).collect();
    assert!(found.into_iter().eq(live().chain([30_000]).map(|id| PodRecord(record(id)))));
    assert!(store.view_counters().remaps - remaps < 20, "the store mapped a window repeatedly");
}

/// Finds a reader that takes a record with an unknown status byte for a live or a deleted one.
#[test]
fn a_record_with_an_unknown_status_byte_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 3);
    for status in [0, 3, 255] {
        set_byte(&path, 65_536 + 16 + 12, status);
        let store = DynStore::open_read_only(&path).unwrap();
        assert_eq!(store.get(1), None);
        assert_eq!(store.iter().count(), 2);
        let error = store.try_get(1).unwrap_err();
        assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(1)));
        assert!(error.to_string().contains(&format!("its status byte is {status}")), "{error}");
        let found: Vec<bool> = store.try_iter().map(|found| found.is_ok()).collect();
        assert_eq!(found, [true, false, true]);
        drop(store);
        let windowed = open_windowed(&path);
        assert_eq!(windowed.get(1).unwrap_err().kind(), ErrorKind::Corrupt);
        let found: Vec<bool> = windowed.range(0..3).map(|found| found.is_ok()).collect();
        assert_eq!(found, [true, false, true]);
        drop(windowed);
        let mut store = DynStore::open_private(&path).unwrap();
        let mut edit = store.edit().unwrap();
        assert_eq!(edit.get(1).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(edit.get_mut(1).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

/// Finds an edit that revives a record or gives access to its status byte.
#[test]
fn an_edit_changes_live_records_and_no_status_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 4);
    dead::delete(&path, &[1]);
    let dead_slot = std::fs::read(&path).unwrap()[65_536 + 16..65_536 + 32].to_vec();
    let mut store = DynStore::open(&path).unwrap();
    let mut edit = store.edit().unwrap();
    let error = edit.try_get(1).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Deleted, Some(1)));
    assert!(edit.get(1).unwrap().is_none() && edit.get_mut(1).unwrap().is_none());
    assert_eq!(edit.set(1, &record(7)).unwrap_err().kind(), ErrorKind::Deleted);
    let error = edit.set_field(1, "n", &Value::UInt(7)).unwrap_err();
    let text = format!("{}, record 1: deleted", path.display());
    assert!(error.to_string().ends_with(&text), "{error}");
    assert_eq!(edit.get_mut(2).unwrap().unwrap().len(), 12);
    edit.get_mut(2).unwrap().unwrap().fill(2);
    edit.set(3, &record(33)).unwrap();
    assert_eq!(edit.try_get(2).unwrap(), [2; 12]);
    edit.finish().unwrap();
    store.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes[65_536 + 16..65_536 + 32], dead_slot);
    assert_eq!(bytes[65_536 + 32..65_536 + 48], [[2; 4], [2; 4], [2; 4], [1, 0, 0, 0]].concat());
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!((store.get(3), store.live_count()), (Some(&record(33)[..]), 3));
    assert_eq!(store.info().unwrap().free_head, Some(1));
    drop(store);

    let mut store = Store::<Twelve>::open(&path).unwrap();
    let mut edit = store.edit().unwrap();
    assert_eq!(edit.set(1, &PodRecord(record(1))).unwrap_err().kind(), ErrorKind::Deleted);
    edit.set(0, &PodRecord(record(5))).unwrap();
    edit.finish().unwrap();
    assert_eq!(store.get(0), Some(&PodRecord(record(5))));
}

/// Finds a truncation that breaks the free list.
#[test]
fn truncation_removes_unflushed_records_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 4);
    dead::delete(&path, &[3, 1]);
    let mut store = DynStore::open(&path).unwrap();
    store.append(&record(4)).unwrap();
    store.append(&record(5)).unwrap();
    store.truncate(5).unwrap();
    assert_eq!((store.count(), store.live_count()), (5, 3));
    store.truncate(4).unwrap();
    assert_eq!(store.truncate(3).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(store.get(2), Some(&record(2)[..]));
    store.append(&record(44)).unwrap();
    store.close().unwrap();
    assert_eq!(doubts(&path), [""; 0]);
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!((store.get(4), store.live_count()), (Some(&record(44)[..]), 3));
}

/// Finds a store that refuses a truncation which cannot break a free list.
#[test]
fn a_store_without_deleted_records_can_be_truncated() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 4);
    let mut store = DynStore::open(&path).unwrap();
    store.truncate(2).unwrap();
    store.append(&record(22)).unwrap();
    store.close().unwrap();
    assert_eq!(doubts(&path), [""; 0]);
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!((store.get(2), store.live_count()), (Some(&record(22)[..]), 3));
}

/// Finds a check of deletes that `verify` omits.
#[test]
fn verify_reports_wrong_status_bytes_counts_and_free_lists() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 6);
    dead::delete(&path, &[4, 1, 2]); // the free list is now 2, 1, 4
    let report = verify(&path, VerifyOptions::new()).unwrap();
    assert_eq!((report.records, report.deleted, report.problems_found), (3, 3, 0));
    let good = std::fs::read(&path).unwrap();
    let slot = |id: u64| 65_536 + id * 16;
    let check = |changes: &[(u64, u8)], header: (u64, u64), expected: &[&str]| {
        std::fs::write(&path, &good).unwrap();
        for &(at, byte) in changes {
            set_byte(&path, at, byte);
        }
        dead::set_header(&path, header.0, header.1);
        assert_eq!(doubts(&path), expected);
    };
    check(&[], (3, 2), &[]);
    check(
        &[(slot(3) + 12, 7)],
        (3, 2),
        &[
            "record 3: its status byte is 7, which is neither live nor deleted",
            "the newest commit counts 3 live records, but the store has 2",
        ],
    );
    let counted = "the newest commit counts 4 live records, but the store has 3";
    check(&[], (4, 2), &[counted]);
    check(&[], (3, 1), &["the free list has 2 of 3 deleted records"]);
    check(&[], (3, u64::MAX), &["the free list has 0 of 3 deleted records"]);
    check(&[], (3, 0), &["the free list begins at record 0, which is not deleted"]);
    check(&[(slot(1), 2)], (3, 2), &["the free list is circular"]);
    let lost = "the free list continues after record 1 at record 5, which is not deleted";
    check(&[(slot(1), 5)], (3, 2), &[lost]);
    let lost = "the free list continues after record 1 at record 6, past the last";
    check(&[(slot(1), 6)], (3, 2), &[lost]);
    // The bytes of a deleted record need not be valid values.
    check(&[(slot(1) + 11, 9)], (3, 2), &[]);
    let bad = &doubts_of_field(&path, &good, slot(0) + 11);
    assert!(bad.starts_with("record 0, field flag: "), "{bad}");
}

fn doubts_of_field(path: &Path, good: &[u8], at: u64) -> String {
    std::fs::write(path, good).unwrap();
    set_byte(path, at, 9);
    doubts(path).concat()
}

/// A header may count all records as live although some are deleted. `insert` raised the live count
/// past them and panicked.
#[test]
fn an_insert_refuses_to_raise_the_live_count_past_the_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 5);
    dead::delete(&path, &[3, 1]);
    dead::set_header(&path, 5, 1);
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(0, &record(9)).unwrap();
    let error = transaction.insert(&record(7)).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(1)), "{error}");
    assert!(error.to_string().contains("counts all 5 records as live"), "{error}");
    // The refused insert changed nothing, and the transaction still commits.
    assert_eq!(transaction.append(&record(5)).unwrap(), 5);
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!((store.count(), store.get(0)), (6, Some(&record(9)[..])));
    assert_eq!((store.get(1), store.get(5)), (None, Some(&record(5)[..])));
}
