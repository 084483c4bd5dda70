//! Rare states and types: a damaged header slot beside a log, records of a larger alignment than
//! their file, a log that a snapshot holds, a leaked transaction.

#![cfg(feature = "derive")]

use std::fs;
use std::path::Path;

use flatrec::{
    DataType, Database, Durability, DynDatabase, ErrorKind, Field, Record, Schema, Store,
    VerifyOptions, WindowedStore,
};

use crate::support::numbered::{N, add};
use crate::support::script::ends_within;

/// Copies the files as a kill would leave them, because the locks of an open database live as long
/// as its process.
fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A database with one damaged header slot opened without an error and without its commits, and
/// deleted the log that held them.
#[test]
fn a_damaged_header_sector_does_not_lose_the_log() {
    let live = tempfile::tempdir().unwrap();
    let path = live.path().join("n.rec");
    let database = Database::<N>::create(&path).unwrap();
    for n in 0..1000 {
        add(&database, n);
    }
    let dead = tempfile::tempdir().unwrap();
    copy_all(live.path(), dead.path());
    let path = dead.path().join("n.rec");
    assert!(dead.path().join("n.rec-wal-1").exists());
    // The slot at 4096 is in force and names the log.
    for offset in [0_usize, 4096] {
        let again = tempfile::tempdir().unwrap();
        copy_all(dead.path(), again.path());
        let path = again.path().join(path.file_name().unwrap());
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset + 60] ^= 1;
        fs::write(&path, bytes).unwrap();
        let opened =
            Database::<N>::open(&path).map(|database| database.begin_read().unwrap().count());
        match offset {
            0 => assert_eq!(opened.unwrap(), 1000),
            _ => {
                let error = opened.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert!(error.to_string().contains("a log with later commits exists"), "{error}");
                assert!(again.path().join("n.rec-wal-1").exists(), "a handle deleted the log");
            }
        }
    }
}

fn packed64() -> Schema {
    Schema::packed([Field::new("a", DataType::Binary(64))]).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
struct Wide {
    a: [u8; 64],
}

// SAFETY: the type has 64 bytes without padding or pointers, and all their values are valid.
#[allow(unsafe_code)]
unsafe impl Record for Wide {
    const NATIVE_ENDIAN: bool = false;
    fn schema() -> flatrec::Result<Schema> {
        Schema::new(vec![Field::new("a", DataType::Binary(64))], 64, 64)
    }
}

/// A transaction and a snapshot missed records whose address was not a multiple of the type's
/// alignment.
#[test]
fn a_type_of_larger_alignment_than_the_file_finds_its_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wide.rec");
    DynDatabase::create(&path, &packed64()).unwrap().close().unwrap();
    let database = Database::<Wide>::open(&path).expect("a handle must not compare alignments");
    let mut seen = Vec::new();
    let mut junk = Vec::new();
    for n in 0..8_u8 {
        junk.push(vec![n; 100 + 16 * n as usize]);
        let mut transaction = database.begin_write().unwrap();
        let id = transaction.append(&Wide { a: [n; 64] }).unwrap();
        let own = transaction.get(id).is_some();
        transaction.commit(Durability::Immediate).unwrap();
        seen.push((own, database.begin_read().unwrap().get(id).is_some()));
    }
    assert!(
        seen.iter().all(|&both| both == (true, true)),
        "a record is missing (in the transaction, in a snapshot after it): {seen:?}"
    );
}

/// A status byte behind each record puts the next one off its alignment. The database opened, and
/// its readers missed records or panicked.
#[test]
fn a_type_that_status_bytes_misalign_is_refused_at_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let options = DynDatabase::create_options().deletes(true);
    let database = options.create(&path, &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in 0..4_u64 {
        transaction.append(&n.to_le_bytes()).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    for refused in [
        Store::<N>::open_read_only(&path).unwrap_err(),
        WindowedStore::<N>::read_options()
            .max_mapped_bytes(1 << 20)
            .window_bytes(64 << 10)
            .open_read_only(&path)
            .unwrap_err(),
        Database::<N>::open(&path).unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::SchemaMismatch, "{refused}");
        assert!(refused.to_string().contains("the records lie 9 bytes apart"), "{refused}");
    }
}

/// Finds a record in the append buffer that a store cannot show, because the buffer does not have
/// the type's alignment.
#[test]
fn an_appended_record_of_large_alignment_is_readable_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut keep = Vec::new();
    for at in 0..8_usize {
        keep.push(vec![1_u8; 40 + 16 * at]);
        let path = directory.path().join(format!("wide-{at}.rec"));
        let mut store = Store::<Wide>::create(&path).unwrap();
        for n in 0..3_u8 {
            let id = store.append(&Wide { a: [n; 64] }).unwrap();
            assert!(store.get(id).is_some(), "store {at} does not show record {id}");
        }
        assert_eq!(store.iter().count(), 3);
    }
}

/// Frames whose images the array holds do not count towards the limit, even while their segment is
/// in use. A log without other frames was reported as full because of a snapshot.
#[test]
fn a_log_that_the_array_holds_is_not_full() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let database = Database::<N>::create_options().max_log(1 << 20).create(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_slice(&[N { n: 0 }; 4000]).unwrap();
    transaction.commit(Durability::Eventual).unwrap();
    let big = || {
        let mut transaction = database.begin_write().unwrap();
        for id in 0..4000 {
            transaction.set(id, &N { n: 1 }).unwrap();
        }
        transaction.commit(Durability::Eventual).unwrap();
    };
    let mut full = None;
    for round in 0..200 {
        big();
        database.checkpoint().unwrap();
        // The array holds everything. Then a snapshot and two commits of one record.
        let snapshot = database.begin_read().unwrap();
        for n in 0..2 {
            let mut transaction = database.begin_write().unwrap();
            transaction.set(0, &N { n }).unwrap();
            if let Err(error) = transaction.commit(Durability::Eventual) {
                full.get_or_insert((round, n, error.to_string()));
            }
        }
        drop(snapshot);
    }
    assert_eq!(full, None, "a commit of one record did not fit into a log that the array holds");
}

/// A leaked transaction kept its lock, and dropping the database waited for it.
#[test]
fn a_leaked_transaction_does_not_delay_the_drop() {
    ends_within(std::time::Duration::from_secs(60), || {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::<N>::create(directory.path().join("n.rec")).unwrap();
        std::mem::forget(database.begin_write().unwrap());
        drop(database);
    });
}

/// Recovery summed a damaged record with a changed one in the same block.
#[test]
fn recovery_does_not_sum_damage() {
    let live = tempfile::tempdir().unwrap();
    let path = live.path().join("n.rec");
    let database = Database::<N>::create_options().checksums(true).create(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_slice(&[N { n: 5 }; 1000]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    let database = Database::<N>::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(0, &N { n: 6 }).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let dead = tempfile::tempdir().unwrap();
    copy_all(live.path(), dead.path());
    let path = dead.path().join("n.rec");
    let mut bytes = fs::read(&path).unwrap();
    bytes[65_536 + 8 * 500] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(flatrec::verify(&path, VerifyOptions::new()).unwrap().problems_found, 1);
    Database::<N>::open(&path).and_then(Database::close).unwrap();
    let doubts = flatrec::verify(&path, VerifyOptions::new()).unwrap().problems;
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(doubts[0].what.contains("it did not match its checksum before"), "{doubts:?}");
}

/// A `Store`, which writes without a log, deleted a log that it should have recovered.
#[test]
fn a_store_does_not_delete_the_log_beside_a_damaged_header_sector() {
    let live = tempfile::tempdir().unwrap();
    let path = live.path().join("n.rec");
    let database = Database::<N>::create(&path).unwrap();
    for n in 0..10 {
        add(&database, n);
    }
    let dead = tempfile::tempdir().unwrap();
    copy_all(live.path(), dead.path());
    let path = dead.path().join("n.rec");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let doubts = flatrec::verify(&path, VerifyOptions::new()).unwrap().problems;
    let said: Vec<&str> = doubts.iter().map(|doubt| doubt.what.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("this header slot is not valid"), "{said:?}");
    assert!(said[1].contains("the newest commits cannot be read"), "{said:?}");
    for opened in [Store::<N>::open_read_only(&path), Store::<N>::open(&path)] {
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(dead.path().join("n.rec-wal-1").exists(), "a handle deleted the log");
}

/// Finds a database that uses or removes a store, a directory, a link or another file because its
/// name looks like a segment's.
#[test]
fn names_that_look_like_segments_do_no_harm() {
    let live = tempfile::tempdir().unwrap();
    let at = |name: &str| live.path().join(name);
    let first = Database::<N>::create(at("a-wal-1")).unwrap();
    add(&first, 1);
    fs::create_dir(at("a-wal-2")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(at("a-wal-1"), at("a-wal-3")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/nowhere", at("a-wal-4")).unwrap();
    fs::write(at("a-wal-5"), "something else that is long enough".repeat(40)).unwrap();
    let second = Database::<N>::create(at("a")).unwrap();
    for n in 0..200 {
        add(&second, n);
    }
    add(&first, 2);
    let dead = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(live.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), dead.path().join(entry.file_name())).unwrap();
        }
    }
    second.close().unwrap();
    first.close().unwrap();
    for place in [live.path(), dead.path()] {
        let first = Database::<N>::open(place.join("a-wal-1")).unwrap();
        let second = Database::<N>::open(place.join("a")).unwrap();
        assert_eq!(
            (first.begin_read().unwrap().count(), second.begin_read().unwrap().count()),
            (2, 200)
        );
    }
    assert!(at("a-wal-5").exists());
}

/// A file in memory can reach the last offset. Finds arithmetic that overflows there, or a handle
/// that accepts records past it. On 32 bits the system maps nothing past 16 TiB.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn records_past_the_last_offset_are_refused() {
    use crate::support::skip::skip;
    let Ok(directory) = tempfile::tempdir_in("/dev/shm") else {
        skip!("there is no file system in memory");
        return;
    };
    let path = directory.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    let empty = fs::read(&path).unwrap();
    for count in [(1 << 60) - 8193, (1 << 60) - 8194, 1 << 59] {
        let mut bytes = empty.clone();
        for slot in [0, 4096] {
            bytes[slot + 72..slot + 80].copy_from_slice(&u64::to_le_bytes(count));
            bytes[slot + 80..slot + 88].copy_from_slice(&u64::to_le_bytes(count));
            let crc = crc32c::crc32c(&bytes[slot..slot + 508]);
            bytes[slot + 508..slot + 512].copy_from_slice(&crc.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        if let Err(error) = file.set_len(65_536 + count * 8) {
            skip!("this system refuses a file of that length: {error}");
            return;
        }
        // No address space can map such a file whole.
        assert!(Store::<N>::open_read_only(&path).is_err());
        assert!(Store::<N>::open(&path).is_err());
        assert!(Database::<N>::open(&path).is_err());
        let windows = (1 << 20, 64 << 10);
        let mut store = WindowedStore::<N>::options()
            .max_mapped_bytes(windows.0)
            .window_bytes(windows.1)
            .open(&path)
            .unwrap();
        // The system maps no page whose end is past the last offset.
        assert_eq!(store.copy(count - 10_000).unwrap(), Some(N { n: 0 }));
        let room = (1 << 60) - 8193 - count;
        let last = store.copy(count - 1).map_err(|error| error.kind());
        assert_eq!(last, if room < 2 { Err(ErrorKind::OutOfRange) } else { Ok(Some(N { n: 0 })) });
        assert_eq!((store.copy(count).unwrap(), store.count()), (None, count));
        if room < 2 {
            let rows = [N { n: 7 }; 2];
            let error = store.append_slice(&rows).unwrap_err();
            assert_eq!((error.kind(), store.count()), (ErrorKind::OutOfRange, count));
            // The file grows by more than one record at a time.
            let error = store.append(&N { n: 8 }).unwrap_err();
            assert_eq!((error.kind(), store.count()), (ErrorKind::OutOfRange, count));
        }
        store.close().unwrap();
    }
}
